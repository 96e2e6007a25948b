// Package unitfile reads what a systemd unit or drop-in gives its processes for
// an environment, and takes single variables out of it, leaving every other byte
// as it is.
//
//	[Service]
//	Environment=A=1 "B=two words" \
//	  C=3
//	EnvironmentFile=-/etc/default/x
//
// The rules are those of systemd.syntax(7) and systemd.exec(5). Specifiers stay
// as they stand, but for %% which is one per cent sign.
package unitfile

import "strings"

// A Statement is one Environment= or EnvironmentFile= of a section [Service].
// An empty one, which neither sets nor names anything, makes those before it of
// its kind forgotten.
type Statement struct {
	Line int // where it begins, from 1
	// OfFile tells an EnvironmentFile=.
	OfFile bool
	// File is what that names, without the "-" that says it need not exist.
	File string
	// Sets lists the variables of an Environment=, in order.
	Sets []Assignment
}

// Forgets reports whether the statement is an empty one.
func (s Statement) Forgets() bool { return s.File == "" && len(s.Sets) == 0 }

// An Assignment gives one variable a value.
type Assignment struct {
	Line        int // where it stands, from 1
	Name, Value string
}

const (
	environment = "Environment"
	file        = "EnvironmentFile"
)

// Statements lists what a unit's text says of the environment, in order.
func Statements(text string) []Statement {
	var out []Statement
	for _, e := range entries(text) {
		s := Statement{Line: lineOf(text, e.start)}
		switch e.key {
		case environment:
			words := e.words(text)
			for _, w := range words {
				if a, ok := w.assignment(text); ok {
					s.Sets = append(s.Sets, a)
				}
			}
			if len(words) > 0 && len(s.Sets) == 0 {
				continue // nothing that the manager takes
			}
		case file:
			s.OfFile, s.File = true, strings.TrimPrefix(strings.TrimSpace(text[e.value:e.end]), "-")
		default:
			continue
		}
		out = append(out, s)
	}
	return out
}

// Without takes the variables that drop chooses out of the Environment= lines of
// a unit's text, and returns them. A line that sets nothing any more goes with
// them: left empty, it would make the manager forget those before it.
func Without(text string, drop func(name string) bool) (kept string, dropped []Assignment) {
	var b strings.Builder
	at := 0
	for _, e := range entries(text) {
		if e.key != environment {
			continue
		}
		words := e.words(text)
		var stay []int
		for i, w := range words {
			if a, ok := w.assignment(text); ok && drop(a.Name) {
				dropped = append(dropped, a)
			} else {
				stay = append(stay, i)
			}
		}
		if len(stay) == len(words) {
			continue
		}
		b.WriteString(text[at:e.start])
		at = e.end
		if len(stay) == 0 {
			continue
		}
		b.WriteString(text[e.start:words[0].start])
		for n, i := range stay {
			if n > 0 { // what is between two words goes with the second
				b.WriteString(text[words[i-1].end:words[i].start])
			}
			b.WriteString(text[words[i].start:words[i].end])
		}
		b.WriteString(text[words[len(words)-1].end:e.end])
	}
	b.WriteString(text[at:])
	return b.String(), dropped
}

// Variables lists what a file of variables sets, in order. Values keep what is
// in their quotes, without these.
func Variables(text string) []Assignment {
	var out []Assignment
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		out = append(out, Assignment{Line: n, Name: strings.TrimSpace(name), Value: value})
	}
	return out
}

func lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }
