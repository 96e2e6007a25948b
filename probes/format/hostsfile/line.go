package hostsfile

import (
	"net/netip"
	"slices"
	"strings"
)

// parseLine reads one line the way glibc's nss_files does: everything from "#"
// is a comment, then an address and its names between C's white space. An
// address with a zone counts too: glibc skips it, other resolvers don't.
func parseLine(text string) line {
	l := line{text: text}
	body := text
	if i := strings.IndexByte(body, '#'); i >= 0 {
		body = body[:i]
	}
	spans := fields(body)
	if len(spans) < 2 {
		return l
	}
	addr, err := netip.ParseAddr(body[spans[0].start:spans[0].end])
	if err != nil {
		return l
	}
	l.addr, l.from, l.name = addr, spans[0], spans[1:]
	return l
}

// fields is strings.Fields by C's isspace, as ranges: a no-break space is part
// of a name here.
func fields(s string) []span {
	var out []span
	start := -1
	for i := 0; i <= len(s); i++ {
		space := i == len(s) || strings.IndexByte(" \t\n\v\f\r", s[i]) >= 0
		switch {
		case space && start >= 0:
			out = append(out, span{start, i})
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	return out
}

func (l line) names() []string {
	out := make([]string, len(l.name))
	for i, s := range l.name {
		out[i] = l.text[s.start:s.end]
	}
	return out
}

func (l line) hasAny(names []string) bool {
	return slices.ContainsFunc(l.names(), func(n string) bool { return contains(names, n) })
}

func (l line) hasOnly(names []string) bool {
	return !slices.ContainsFunc(l.names(), func(n string) bool { return !contains(names, n) })
}

// moved is the line with another address and everything else as it was.
func (l line) moved(addr netip.Addr) line {
	return parseLine(l.text[:l.from.start] + addr.String() + l.text[l.from.end:])
}

// with is the line with more names behind its last one.
func (l line) with(names []string) line {
	end := l.name[len(l.name)-1].end
	return parseLine(l.text[:end] + " " + strings.Join(names, " ") + l.text[end:])
}

// without is the line less names, each with the white space before it. Of a
// line that has no other name, the comment stays, or nothing.
func (l line) without(names []string) line {
	if l.hasOnly(names) {
		if i := strings.IndexByte(l.text, '#'); i >= 0 {
			return line{text: l.text[i:]}
		}
		return line{}
	}
	var b strings.Builder
	done := l.from.end
	b.WriteString(l.text[:done])
	for _, s := range l.name {
		if !contains(names, l.text[s.start:s.end]) {
			b.WriteString(l.text[done:s.end])
		}
		done = s.end
	}
	b.WriteString(l.text[done:])
	return parseLine(b.String())
}
