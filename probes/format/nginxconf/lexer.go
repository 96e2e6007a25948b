package nginxconf

import (
	"errors"
	"fmt"
	"strings"
)

// ParseFile reads one file's text; includes are left as they are. Errors name
// file and line.
func ParseFile(name, text string) ([]Directive, error) {
	x := &lexer{file: name, rest: text, line: 1}
	ds, err := x.block(0)
	if err != nil {
		return nil, fmt.Errorf("read %s:%d: %w", x.file, x.line, err)
	}
	return ds, nil
}

// A lexer follows ngx_conf_read_token.
type lexer struct {
	file, rest string
	line       int // of the front of rest
}

// block reads directives up to the closing brace, or at depth 0 to the end.
func (x *lexer) block(depth int) ([]Directive, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	out := []Directive{}
	for {
		x.skip()
		switch {
		case x.rest == "" && depth == 0:
			return out, nil
		case x.rest == "":
			return nil, errors.New(`end of file, want "}"`)
		case x.rest[0] == '}' && depth == 0:
			return nil, errors.New(`unexpected "}"`)
		case x.rest[0] == '}':
			x.rest = x.rest[1:]
			return out, nil
		}
		d, err := x.directive(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
}

func (x *lexer) directive(depth int) (Directive, error) {
	d := Directive{File: x.file, Line: x.line}
	var words []string
	for {
		x.skip()
		if x.rest == "" {
			return d, errors.New(`end of file, want ";"`)
		}
		switch c := x.rest[0]; {
		case c == '}' || len(words) == 0 && (c == ';' || c == '{'):
			return d, fmt.Errorf("unexpected %q", string(c))
		case c == ';' || c == '{':
			x.rest = x.rest[1:]
			d.Name, d.Args = words[0], words[1:]
			var err error
			if c == '{' {
				d.Block, err = x.block(depth + 1)
			}
			return d, err
		}
		w, err := x.word()
		if err != nil {
			return d, err
		}
		words = append(words, w)
	}
}

// skip passes white space and comments.
func (x *lexer) skip() {
	for x.rest != "" {
		switch x.rest[0] {
		case '\n', ' ', '\t', '\r':
			x.pass(1)
		case '#':
			n := strings.IndexByte(x.rest, '\n')
			if n < 0 {
				n = len(x.rest)
			}
			x.pass(n)
		default:
			return
		}
	}
}

// pass drops n bytes, counting lines.
func (x *lexer) pass(n int) string {
	s := x.rest[:n]
	x.line += strings.Count(s, "\n")
	x.rest = x.rest[n:]
	return s
}

// word reads one word, quoted or not. ${ opens no block; a } in a word is part
// of it.
func (x *lexer) word() (string, error) {
	quote := x.rest[0]
	if quote != '"' && quote != '\'' {
		i := 0
		for i < len(x.rest) && strings.IndexByte(" \t\r\n;{", x.rest[i]) < 0 {
			switch {
			case x.rest[i] == '\\':
				i += 2
			case strings.HasPrefix(x.rest[i:], "${"):
				i += 2
			default:
				i++
			}
		}
		return unescape(x.pass(min(i, len(x.rest)))), nil
	}
	i := 1
	for i < len(x.rest) && x.rest[i] != quote {
		if x.rest[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(x.rest) {
		return "", fmt.Errorf("end of file in a word that began with %c", quote)
	}
	s := unescape(x.pass(i + 1)[1:i])
	if x.rest != "" && strings.IndexByte(" \t\r\n;{)", x.rest[0]) < 0 {
		return "", fmt.Errorf("unexpected %q after a quoted word", x.rest[:1])
	}
	return s, nil
}

var escapes = strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`, `\t`, "\t", `\r`, "\r", `\n`, "\n")

// unescape resolves the escapes that NGINX resolves; other backslashes stay, as
// regular expressions want them.
func unescape(s string) string { return escapes.Replace(s) }
