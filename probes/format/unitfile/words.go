package unitfile

import "strings"

// An entry is one "key=value" of a section [Service], with the lines that
// continue it. All numbers are offsets into the text.
type entry struct {
	key        string
	start, end int // end is behind its last line's ending
	value      int // where its value begins
}

// entries cuts a unit's text.
func entries(text string) []entry {
	var out []entry
	service := false
	for at := 0; at < len(text); {
		start := at
		line, next := natural(text, at)
		at = next
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || isComment(trimmed):
			continue
		case trimmed[0] == '[':
			service = trimmed == "[Service]"
			continue
		}
		for continues(line) && at < len(text) {
			more, next := natural(text, at)
			at = next
			if isComment(strings.TrimSpace(more)) {
				continue // inside of what it interrupts
			}
			line = more
		}
		whole := text[start:at]
		key, _, ok := strings.Cut(whole, "=")
		if ok && service {
			out = append(out, entry{key: strings.TrimSpace(key), start: start, end: at, value: start + len(key) + 1})
		}
	}
	return out
}

// natural returns the line at an offset without its ending, and where the next
// one begins.
func natural(text string, at int) (line string, next int) {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return text[at : at+i], at + i + 1
	}
	return text[at:], len(text)
}

func isComment(line string) bool { return line != "" && (line[0] == '#' || line[0] == ';') }

// continues reports whether a line ends in an odd number of backslashes.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// A word is one of an entry's, quotes and all.
type word struct {
	start, end int
	text       string // without quotes and escapes
}

// assignment reads a word as one; a word without "=" is none.
func (w word) assignment(text string) (Assignment, bool) {
	name, value, ok := strings.Cut(w.text, "=")
	return Assignment{Line: lineOf(text, w.start), Name: name, Value: strings.ReplaceAll(value, "%%", "%")}, ok
}

// words cuts an entry's value. A line that continues ends a word, unless it is
// quoted; comments in between are passed over.
func (e entry) words(text string) []word {
	var out []word
	for at := e.value; at < e.end; {
		switch c := text[at]; {
		case c == ' ' || c == '\t' || c == '\r':
			at++
		case c == '\\' && (at+1 == e.end || text[at+1] == '\n'):
			at++
		case c == '\n':
			at++
			if line, next := natural(text, at); isComment(strings.TrimSpace(line)) {
				at = min(next, e.end)
			}
		default:
			w := e.word(text, at)
			out = append(out, w)
			at = w.end
		}
	}
	return out
}

// word reads the word that begins at an offset.
func (e entry) word(text string, at int) word {
	w := word{start: at}
	var b strings.Builder
	quote := byte(0)
	for ; at < e.end; at++ {
		c := text[at]
		switch {
		case c == '\\' && at+1 < e.end && text[at+1] == '\n':
			if quote == 0 {
				w.end, w.text = at, b.String()
				return w
			}
			b.WriteByte(' ')
			at++
		case c == '\\' && at+1 < e.end:
			at++
			b.WriteByte(unescaped(text[at]))
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\n' || quote == 0 && (c == ' ' || c == '\t' || c == '\r'):
			w.end, w.text = at, b.String()
			return w
		default:
			b.WriteByte(c)
		}
	}
	w.end, w.text = at, b.String()
	return w
}

// unescaped is what a backslash makes of the byte behind it. Numeric escapes
// stay as they are: no name has one.
func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 's':
		return ' '
	}
	return c
}
