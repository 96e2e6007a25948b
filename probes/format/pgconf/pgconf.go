// Package pgconf reads and edits postgresql.conf, its included files and
// postgresql.auto.conf. Comments, order and lines of others stay as they are:
// Parse(b).Bytes() is b.
//
//	f := pgconf.Parse(data)
//	f.Get("listen_addresses")                           // the last assignment, which wins
//	f.Set("listen_addresses", "127.0.0.1,::1").Bytes()
//
// It follows the grammar of the server's guc-file.l: "name = value" or "name
// value", names without regard to case, '#' begins a comment outside quotes.
package pgconf

import (
	"slices"
	"strings"

	"watchdog/probes/format/linefile"
)

// A File is the content of one file. It is a value: Set and Unset return
// another.
type File struct{ lines []line }

type line struct {
	text string // with its line ending
	// name is empty for a line that assigns nothing: a comment, an empty one,
	// or one that the server would refuse.
	name, value string
	// start and end delimit the value in text, quotes included.
	start, end int
}

func (l line) Text() string { return l.text }

// An Assignment is one line "name = value".
type Assignment struct {
	Line  int    // counted from 1
	Name  string // in lower case; "include_dir" and its like too
	Value string // without quotes and escapes
}

// Parse reads data. Lines that the server would refuse are kept and assign
// nothing, so there is no content that is an error.
func Parse(data []byte) File { return File{linefile.Parse(data, parseLine)} }

// Bytes is the file's content.
func (f File) Bytes() []byte { return linefile.Bytes(f.lines) }

// Assignments lists what the file assigns, in its order.
func (f File) Assignments() []Assignment {
	var out []Assignment
	for i, l := range f.lines {
		if l.name != "" {
			out = append(out, Assignment{Line: i + 1, Name: l.name, Value: l.value})
		}
	}
	return out
}

// Get returns the last assignment of name, which wins within a file.
func (f File) Get(name string) (Assignment, bool) {
	i := f.last(name)
	if i < 0 {
		return Assignment{}, false
	}
	return Assignment{Line: i + 1, Name: f.lines[i].name, Value: f.lines[i].value}, true
}

// Set returns the file with value assigned to name: in the last line that
// assigns it, whose comment stays; else in a new line below the commented
// default; else in one at the end.
func (f File) Set(name, value string) File {
	i := f.last(name)
	if i < 0 {
		return File{linefile.Insert(f.lines, f.place(name), name+" = "+quote(value)+"\n", parseLine)}
	}
	out := File{slices.Clone(f.lines)}
	if l := out.lines[i]; l.value != value {
		out.lines[i] = parseLine(l.text[:l.start] + quote(value) + l.text[l.end:])
	}
	return out
}

// Unset returns the file without any line that assigns name, which must be an
// option's. Commented defaults stay.
func (f File) Unset(name string) File {
	var out File
	name = lower(name)
	for _, l := range f.lines {
		if l.name != name {
			out.lines = append(out.lines, l)
		}
	}
	return out
}

// last is the index of the last line that assigns name, or -1.
func (f File) last(name string) int {
	name = lower(name)
	for i := len(f.lines) - 1; i >= 0; i-- {
		if f.lines[i].name == name {
			return i
		}
	}
	return -1
}

// place is where a new assignment of name goes: below the first line that would
// assign it were it not for its "#", and what that says on indented lines; or at
// the end.
func (f File) place(name string) int {
	name = lower(name)
	for i, l := range f.lines {
		rest, ok := strings.CutPrefix(l.text, "#")
		if !ok || name == "" || parseLine(rest).name != name {
			continue
		}
		at := i + 1
		for at < len(f.lines) && f.lines[at].continues() {
			at++
		}
		return at
	}
	return len(f.lines)
}

// continues reports whether l goes on with the comment of the line before.
func (l line) continues() bool {
	at := skip(l.text, 0)
	return at > 0 && strings.HasPrefix(l.text[at:], "#")
}
