// Package properties reads and edits keycloak.conf, which Keycloak loads as
// java.util.Properties in UTF-8. Editing keeps comments, blank lines, order and
// the spelling of everything that is not touched:
//
//	f, err := properties.Parse(data)
//	f.Set("hostname", "https://idp.example.org")
//	f.Delete("hostname-url")
//	data = f.Bytes()
//
// It is pure: bytes in, bytes out. What a value means is the caller's business;
// Keycloak expands ${…} in values, so one that is to be taken literally must not
// hold it.
package properties

import (
	"bytes"
	"slices"
	"strings"
)

// A File is one parsed file.
type File struct {
	lines []line
}

// A line is one logical line with the bytes it was read from, its newline and
// those of its continuations among them.
type line struct {
	raw    string
	number int // of its first natural line, from 1
	entry  bool
	key    string
	value  string
	// dangling: the file ended where a continuation was to follow.
	dangling bool
}

// Parse reads data. The only thing that it refuses is what makes Java refuse
// the whole file: a \u that four hexadecimal digits do not follow.
func Parse(data []byte) (*File, error) {
	f := &File{}
	in := lexer{rest: string(data), number: 1}
	for in.rest != "" {
		l, err := in.next()
		if err != nil {
			return nil, err
		}
		f.lines = append(f.lines, l)
	}
	return f, nil
}

// Bytes returns the file as it stands.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		b.WriteString(l.raw)
	}
	return b.Bytes()
}

// Get returns the value of key. Of several definitions the last one counts, as
// for Java.
func (f *File) Get(key string) (value string, ok bool) {
	i := f.last(key)
	if i < 0 {
		return "", false
	}
	return f.lines[i].value, true
}

// Line returns the number, from 1, of the line that defines key, and 0 when
// none does.
func (f *File) Line(key string) int {
	i := f.last(key)
	if i < 0 {
		return 0
	}
	return f.lines[i].number
}

// Keys lists the keys that are defined, each once, in the order of their first
// definitions.
func (f *File) Keys() []string {
	var keys []string
	for _, l := range f.lines {
		if l.entry && !slices.Contains(keys, l.key) {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// Set defines key as value: in the place of its last definition, whose
// predecessors go, or at the end. When key is defined so already, and once,
// nothing changes.
func (f *File) Set(key, value string) {
	i := f.last(key)
	if i < 0 {
		f.endLine()
		f.lines = append(f.lines, line{raw: render(key, value) + "\n", number: f.natural() + 1, entry: true, key: key, value: value})
		return
	}
	if f.lines[i].value != value {
		ending := "\n"
		if strings.HasSuffix(f.lines[i].raw, "\r\n") {
			ending = "\r\n"
		}
		f.lines[i].raw, f.lines[i].value = render(key, value)+ending, value
		f.lines[i].dangling = false
	}
	kept := f.lines[:0:0]
	for j, l := range f.lines {
		if j == i || !l.entry || l.key != key {
			kept = append(kept, l)
		}
	}
	f.lines = kept
	f.renumber()
}

// Delete removes every definition of key and reports whether there was one.
func (f *File) Delete(key string) bool {
	before := len(f.lines)
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool { return l.entry && l.key == key })
	f.renumber()
	return len(f.lines) < before
}

// Comment appends text as comment lines; an empty text appends a blank line.
func (f *File) Comment(text string) {
	f.endLine()
	for l := range strings.Lines(text + "\n") {
		raw := "\n"
		if l = strings.TrimRight(l, "\r\n"); l != "" {
			raw = "# " + l + "\n"
		}
		f.lines = append(f.lines, line{raw: raw, number: f.natural() + 1})
	}
}

func (f *File) last(key string) int {
	for i := len(f.lines) - 1; i >= 0; i-- {
		if f.lines[i].entry && f.lines[i].key == key {
			return i
		}
	}
	return -1
}

// endLine gives the last line the newline it may lack, so that something can be
// appended. An entry may end in a backslash that continues into the end of the
// file; it is written anew, or its backslash would swallow what is appended.
func (f *File) endLine() {
	if len(f.lines) == 0 {
		return
	}
	l := &f.lines[len(f.lines)-1]
	if l.dangling {
		l.raw, l.dangling = render(l.key, l.value), false
	}
	if !strings.HasSuffix(l.raw, "\n") && !strings.HasSuffix(l.raw, "\r") {
		l.raw += "\n"
	}
}

// natural returns the number of natural lines in the file.
func (f *File) natural() int {
	n := 0
	for _, l := range f.lines {
		n += newlines(l.raw)
	}
	return n
}

func (f *File) renumber() {
	n := 1
	for i := range f.lines {
		f.lines[i].number = n
		n += newlines(f.lines[i].raw)
	}
}
