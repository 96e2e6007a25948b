// Package gaiconf reads and edits the precedence lines of /etc/gai.conf, by
// which glibc's getaddrinfo sorts addresses. Everything else in the file stays
// as it is: Parse(b).Bytes() is b.
//
//	f := gaiconf.Parse(data)
//	f.Precedence(netip.MustParseAddr("::ffff:192.0.2.1")) // what glibc would use for an IPv4 address
//	f.SetPrecedence(gaiconf.IPv6, 100).SetPrecedence(gaiconf.IPv4, 10).Bytes()
package gaiconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/linefile"
)

// The prefixes of all IPv6 addresses, and of IPv4 addresses as gai.conf writes
// them.
var (
	IPv6 = netip.MustParsePrefix("::/0")
	IPv4 = netip.MustParsePrefix("::ffff:0:0/96")
)

// builtin is glibc's table, used while the file has no precedence line at all
// (gai.conf(5); default_precedence in sysdeps/posix/getaddrinfo.c).
var builtin = []Entry{
	{Prefix: netip.MustParsePrefix("::1/128"), Value: 50},
	{Prefix: netip.MustParsePrefix("2002::/16"), Value: 30},
	{Prefix: netip.MustParsePrefix("::/96"), Value: 20},
	{Prefix: IPv4, Value: 10},
	{Prefix: IPv6, Value: 40},
}

// restOfWorld is what glibc adds for ::/0 when there are precedence lines but
// none for it.
const restOfWorld = 40

// A File is the content of /etc/gai.conf. It is a value: SetPrecedence returns
// another.
type File struct{ lines []line }

type line struct {
	text string // with its line ending
	// entry is nil for anything but a precedence line that glibc accepts.
	entry *Entry
	// start and end delimit the value in text.
	start, end int
}

func (l line) Text() string { return l.text }

// An Entry is one precedence line.
type Entry struct {
	Line   int // counted from 1; 0 for one of glibc's own
	Prefix netip.Prefix
	Value  int // higher is preferred
}

// Parse reads data. Lines that glibc would skip are kept and mean nothing, so
// there is no content that is an error.
func Parse(data []byte) File { return File{linefile.Parse(data, parseLine)} }

// parseLine reads "precedence PREFIX VALUE" by glibc's rules: a prefix without
// length is one address, and any other keyword is none of ours.
func parseLine(text string) line {
	l := line{text: text}
	body := text
	if i := strings.IndexByte(body, '#'); i >= 0 {
		body = body[:i]
	}
	w := strings.FieldsFunc(body, isSpace)
	if len(w) < 3 || w[0] != "precedence" {
		return l
	}
	prefix, ok := parsePrefix(w[1])
	value, err := strconv.ParseUint(w[2], 10, 31)
	if !ok || err != nil {
		return l
	}
	l.entry = &Entry{Prefix: prefix, Value: int(value)}
	l.start = strings.Index(text, w[1]) + len(w[1])
	l.start += strings.Index(text[l.start:], w[2])
	l.end = l.start + len(w[2])
	return l
}

// isSpace is C's: what glibc separates by.
func isSpace(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }

func parsePrefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		s += "/128"
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is6() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// Bytes is the file's content.
func (f File) Bytes() []byte { return linefile.Bytes(f.lines) }

// Entries lists the precedence lines in the file's order.
func (f File) Entries() []Entry {
	var out []Entry
	for i, l := range f.lines {
		if l.entry != nil {
			out = append(out, Entry{Line: i + 1, Prefix: l.entry.Prefix, Value: l.entry.Value})
		}
	}
	return out
}

// Precedence is the value getaddrinfo would sort addr by, and the line it has
// it from. IPv4 addresses are looked up in their mapped form.
func (f File) Precedence(addr netip.Addr) Entry {
	table := f.Entries()
	switch {
	case len(table) == 0:
		table = builtin
	case !slices.ContainsFunc(table, func(e Entry) bool { return e.Prefix.Bits() == 0 }):
		table = append(table, Entry{Prefix: IPv6, Value: restOfWorld})
	}
	addr = netip.AddrFrom16(addr.As16())
	best := Entry{Prefix: netip.Prefix{}}
	for _, e := range table {
		if e.Prefix.Contains(addr) && (!best.Prefix.IsValid() || e.Prefix.Bits() > best.Prefix.Bits()) {
			best = e
		}
	}
	return best
}

// SetPrecedence returns the file with one line for prefix, of that value. An
// existing line keeps its place and its comment; further lines for the same
// prefix go, since glibc would use any one of them; a new line goes to the end.
func (f File) SetPrecedence(prefix netip.Prefix, value int) File {
	prefix = prefix.Masked()
	var out File
	found := false
	for _, l := range f.lines {
		if l.entry != nil && l.entry.Prefix == prefix {
			if found {
				continue
			}
			found = true
			if l.entry.Value != value {
				l = parseLine(l.text[:l.start] + strconv.Itoa(value) + l.text[l.end:])
			}
		}
		out.lines = append(out.lines, l)
	}
	if !found {
		text := "precedence " + written(prefix) + "  " + strconv.Itoa(value) + "\n"
		out.lines = linefile.Insert(out.lines, len(out.lines), text, parseLine)
	}
	return out
}

// written is the prefix the way gai.conf(5) writes it: mapped IPv4 addresses
// without dots.
func written(p netip.Prefix) string {
	if !p.Addr().Is4In6() {
		return p.String()
	}
	b := p.Addr().As16()
	return fmt.Sprintf("::ffff:%x:%x/%d", int(b[12])<<8|int(b[13]), int(b[14])<<8|int(b[15]), p.Bits())
}
