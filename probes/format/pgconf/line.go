package pgconf

import (
	"strconv"
	"strings"
)

// blank is what the server skips between words.
const blank = " \t\r"

// parseLine reads one line by the rules of guc-file.l.
func parseLine(text string) line {
	l := line{text: text}
	body := strings.TrimSuffix(text, "\n")
	at := skip(body, 0)
	end := word(body, at, isName)
	name := body[at:end]
	if !isOption(name) {
		return l
	}
	at = skip(body, end)
	if at < len(body) && body[at] == '=' {
		at = skip(body, at+1)
	}
	value, end, ok := readValue(body, at)
	if !ok {
		return l
	}
	if rest := skip(body, end); rest < len(body) && body[rest] != '#' {
		return l
	}
	l.name, l.value, l.start, l.end = lower(name), value, at, end
	return l
}

// readValue reads a quoted or bare value that begins at start.
func readValue(body string, start int) (value string, end int, ok bool) {
	if start >= len(body) {
		return "", 0, false
	}
	if body[start] != '\'' {
		end = word(body, start, isBare)
		return body[start:end], end, end > start
	}
	for i := start + 1; i < len(body); i++ {
		switch {
		case body[i] == '\\':
			i++
		case body[i] == '\'' && i+1 < len(body) && body[i+1] == '\'':
			i++
		case body[i] == '\'':
			return unescape(body[start+1 : i]), i + 1, true
		}
	}
	return "", 0, false
}

// lower folds case as guc_name_compare does: ASCII only.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func skip(s string, i int) int {
	for i < len(s) && strings.IndexByte(blank, s[i]) >= 0 {
		i++
	}
	return i
}

func word(s string, i int, part func(byte) bool) int {
	for i < len(s) && part(s[i]) {
		i++
	}
	return i
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isName(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' }

func isBare(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("-+._:/", c) >= 0
}

// isOption reports whether s is the name of an option, or of an extension's:
// one or two identifiers joined by a dot.
func isOption(s string) bool {
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if p == "" || !isLetter(p[0]) {
			return false
		}
	}
	return len(parts) <= 2
}

// quote writes s as a quoted value; a newline would end the line, so it is
// escaped too.
func quote(s string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`, "\n", `\n`).Replace(s) + "'"
}

// unescape resolves what DeescapeQuotedString resolves: doubled quotes, C's
// escapes, and up to three octal digits.
func unescape(s string) string {
	if !strings.ContainsAny(s, `'\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			i++ // the second of two
			b.WriteByte('\'')
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		default:
			i++
			n := 0
			for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
				n++
			}
			if n > 0 {
				code, _ := strconv.ParseUint(s[i:i+n], 8, 16)
				b.WriteByte(byte(code))
				i += n - 1
				continue
			}
			b.WriteByte(escaped(s[i]))
		}
	}
	return b.String()
}

func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
