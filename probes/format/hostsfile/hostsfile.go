// Package hostsfile reads and edits /etc/hosts. Comments, order, white space
// and lines of others stay as they are: Parse(b).Bytes() is b.
//
//	f := hostsfile.Parse(data)
//	f.Lookup("idp.example.org")                     // which lines map it, and to what
//	f.Set(addr, "idp.example.org", "idp").Bytes()   // the same file, with both names mapped to addr only
package hostsfile

import (
	"net/netip"
	"slices"
	"strings"

	"watchdog/probes/format/linefile"
)

// A File is the content of /etc/hosts. It is a value: Set returns another.
type File struct{ lines []line }

// A line is one line as it was read, with its line ending.
type line struct {
	text string
	// addr is not valid for a line that maps nothing: a comment, an empty one,
	// or one the resolver would skip.
	addr netip.Addr
	from span   // the address in text
	name []span // the names in text
}

func (l line) Text() string { return l.text }

// A span is a range of bytes of a line.
type span struct{ start, end int }

// An Entry is one line that maps a name.
type Entry struct {
	Line  int // counted from 1
	Addr  netip.Addr
	Names []string // all names of the line, as written
}

// Parse reads data. Lines that a resolver would skip are kept and map nothing,
// so there is no content that is an error.
func Parse(data []byte) File { return File{linefile.Parse(data, parseLine)} }

// Bytes is the file's content.
func (f File) Bytes() []byte { return linefile.Bytes(f.lines) }

// Entries lists all lines that map something.
func (f File) Entries() []Entry {
	var out []Entry
	for i, l := range f.lines {
		if l.addr.IsValid() {
			out = append(out, Entry{Line: i + 1, Addr: l.addr, Names: l.names()})
		}
	}
	return out
}

// Lookup lists the lines that map name, in the file's order. Names are compared
// without regard to case, as the resolver does.
func (f File) Lookup(name string) []Entry {
	return slices.DeleteFunc(f.Entries(), func(e Entry) bool { return !contains(e.Names, name) })
}

// Set returns the file with each of names mapped to addr and to nothing else.
// Other names that share a wrong line keep it. A wrong line that has only these
// names gets the right address in its place; otherwise a missing line is added
// at the end. Setting again changes nothing. Names must be host names: Set
// writes them as they are.
func (f File) Set(addr netip.Addr, names ...string) File {
	out := File{lines: make([]line, 0, len(f.lines)+1)}
	home := slices.IndexFunc(f.lines, func(l line) bool { return l.addr == addr && l.hasAny(names) })
	for _, l := range f.lines {
		switch {
		case !l.addr.IsValid() || l.addr == addr || !l.hasAny(names):
		case home < 0 && l.hasOnly(names):
			l = l.moved(addr)
			home = len(out.lines)
		default:
			l = l.without(names)
		}
		// A line kept is never empty text; one that lost all its names is.
		if l.text != "" {
			out.lines = append(out.lines, l)
		}
	}
	missing := out.unmapped(addr, names)
	if len(missing) == 0 {
		return out
	}
	// Lines may have gone before home: look for it again.
	home = slices.IndexFunc(out.lines, func(l line) bool { return l.addr == addr && l.hasAny(names) })
	if home >= 0 {
		out.lines[home] = out.lines[home].with(missing)
		return out
	}
	text := addr.String() + " " + strings.Join(missing, " ") + "\n"
	out.lines = linefile.Insert(out.lines, len(out.lines), text, parseLine)
	return out
}

// unmapped lists those of names that no line maps to addr, each once.
func (f File) unmapped(addr netip.Addr, names []string) []string {
	var out []string
	for _, n := range names {
		there := slices.ContainsFunc(f.Lookup(n), func(e Entry) bool { return e.Addr == addr })
		if !there && !contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
