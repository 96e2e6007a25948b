package properties

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// blanks are what Java skips at the start of a line and around a separator.
const blanks = " \t\f"

// A lexer cuts logical lines off the front of rest, by the rules of
// java.util.Properties.load.
type lexer struct {
	rest   string
	number int // of the natural line that rest begins with
}

func (x *lexer) next() (line, error) {
	l := line{number: x.number}
	text, ending := x.cut()
	l.raw = text + ending
	text = strings.TrimLeft(text, blanks)
	// A lone backslash continues nothing: what follows is a line of its own,
	// and may be a comment. At the end of the file it is an empty key, unless
	// \r\n ends it: so Java has it.
	if text == "" || text == `\` && (x.rest != "" || ending == "\r\n") || text[0] == '#' || text[0] == '!' {
		return l, nil
	}
	for continues(text) {
		text = text[:len(text)-1]
		if x.rest == "" {
			l.dangling = true
			break
		}
		more, ending := x.cut()
		l.raw += more + ending
		text += strings.TrimLeft(more, blanks)
	}
	key, value := split(text)
	var err error
	if l.key, err = unescape(key); err == nil {
		l.value, err = unescape(value)
	}
	if err != nil {
		return l, fmt.Errorf("line %d: %w", l.number, err)
	}
	l.entry = true
	return l, nil
}

// cut takes one natural line off rest; its ending is \n, \r or \r\n.
func (x *lexer) cut() (text, ending string) {
	i := strings.IndexAny(x.rest, "\r\n")
	if i < 0 {
		text, x.rest = x.rest, ""
		return text, ""
	}
	n := 1
	if strings.HasPrefix(x.rest[i:], "\r\n") {
		n = 2
	}
	text, ending = x.rest[:i], x.rest[i:i+n]
	x.rest = x.rest[i+n:]
	x.number++
	return text, ending
}

// newlines counts the line endings in raw.
func newlines(raw string) int {
	x := lexer{rest: raw}
	for x.rest != "" {
		x.cut()
	}
	return x.number
}

// continues reports whether text ends in an odd number of backslashes.
func continues(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// split finds the separator: blanks, and at most one = or : among them.
func split(text string) (key, value string) {
	i := 0
	for i < len(text) && !strings.ContainsRune("=:"+blanks, rune(text[i])) {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(text))
	key, value = text[:i], strings.TrimLeft(text[i:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return key, value
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			units, err := codeUnits(s[i-1:])
			if err != nil {
				return "", err
			}
			b.WriteString(string(utf16.Decode(units)))
			i += len(units)*len(`\uXXXX`) - len(`\u`)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// codeUnits reads the \uXXXX at the start of s and those that follow it at
// once: two of them may be one character.
func codeUnits(s string) ([]uint16, error) {
	var units []uint16
	for strings.HasPrefix(s, `\u`) {
		if len(s) < len(`\uXXXX`) {
			return nil, fmt.Errorf("read %s: want four hexadecimal digits after \\u", s)
		}
		n, err := strconv.ParseUint(s[2:6], 16, 16)
		if err != nil {
			return nil, fmt.Errorf("read %s: want four hexadecimal digits after \\u", s[:6])
		}
		units = append(units, uint16(n))
		s = s[6:]
	}
	return units, nil
}

// render writes one entry without its newline, so that Java reads back exactly
// key and value.
func render(key, value string) string {
	return escape(key, true) + "=" + escape(value, false)
}

func escape(s string, key bool) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		switch {
		case c == '\\':
			b.WriteString(`\\`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\f':
			b.WriteString(`\f`)
		case c == ' ' && (key || i == 0), key && strings.IndexByte("=:#!", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
