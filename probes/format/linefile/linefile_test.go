package linefile

import (
	"strings"
	"testing"
)

// A word is a line that means its first word.
type word struct{ text, first string }

func (w word) Text() string { return w.text }

func read(text string) word {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word{text, first}
}

func means(lines []word) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.first)
	}
	return strings.Join(out, ",")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"\n", ""},
		{"a 1\nb 2\n", "a,b"},
		{"a 1\r\n\n  b 2", "a,,b"},
		{"a\rb\x00\xff c\n", "a\rb\x00\xff"},
	} {
		lines := Parse([]byte(c.in), read)
		if got := means(lines); got != c.want {
			t.Errorf("%q means %q, want %q", c.in, got, c.want)
		}
		if got := string(Bytes(lines)); got != c.in {
			t.Errorf("%q read and written again is %q", c.in, got)
		}
	}
}

func TestInsert(t *testing.T) {
	for name, c := range map[string]struct {
		in          string
		at          int
		want, means string
	}{
		"into nothing":          {"", 0, "x 9\n", "x"},
		"before the first":      {"a 1\nb 2\n", 0, "x 9\na 1\nb 2\n", "x,a,b"},
		"between":               {"a 1\nb 2", 1, "a 1\nx 9\nb 2", "a,x,b"},
		"at the end":            {"a 1\nb 2\n", 2, "a 1\nb 2\nx 9\n", "a,b,x"},
		"behind an open end":    {"a 1\nb 2", 2, "a 1\nb 2\nx 9\n", "a,b,x"},
		"behind a carriage ret": {"a 1\r", 1, "a 1\r\nx 9\n", "a,x"},
	} {
		// Room behind the lines is where one put in by mistake would land.
		lines := append(make([]word, 0, 8), Parse([]byte(c.in), read)...)
		more := Insert(lines, c.at, "x 9\n", read)
		if got := string(Bytes(more)); got != c.want || means(more) != c.means {
			t.Errorf("%s: %q, which means %q; want %q and %q", name, got, means(more), c.want, c.means)
		}
		if got := string(Bytes(lines)); got != c.in {
			t.Errorf("%s: the lines given became %q", name, got)
		}
	}
}
