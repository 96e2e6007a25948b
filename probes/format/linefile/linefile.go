// Package linefile keeps a configuration file as its lines, so that a format
// that edits one of them leaves every other byte as it was. What a line means is
// the format's business; it brings a type for it, and a function that reads one:
//
//	lines := linefile.Parse(data, parseLine)
//	lines = linefile.Insert(lines, len(lines), "port = 5432\n", parseLine)
//	data = linefile.Bytes(lines)
package linefile

import (
	"slices"
	"strings"
)

// A Line is one line as its format has read it.
type Line interface {
	// Text is what stands in the file, with the line ending.
	Text() string
}

// Parse reads every line of data. The last one may have no line ending.
func Parse[L Line](data []byte, read func(text string) L) []L {
	var out []L
	for text := range strings.Lines(string(data)) {
		out = append(out, read(text))
	}
	return out
}

// Bytes is the content of the file that has these lines.
func Bytes[L Line](lines []L) []byte {
	var b []byte
	for _, l := range lines {
		b = append(b, l.Text()...)
	}
	return b
}

// Insert returns the lines with one more, of that text, before the one at index
// at, or at the end. The line that it comes behind gets the line ending that the
// last one of a file may lack. The lines given stay as they are.
func Insert[L Line](lines []L, at int, text string, read func(text string) L) []L {
	out := slices.Clone(lines)
	if at > 0 {
		if before := out[at-1].Text(); !strings.HasSuffix(before, "\n") {
			out[at-1] = read(before + "\n")
		}
	}
	return slices.Insert(out, at, read(text))
}
