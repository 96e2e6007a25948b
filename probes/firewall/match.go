package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/nftjson"
)

// A truth is yes, no, or maybe where a rule looks at something that is not
// known of a packet.
type truth int

const (
	no truth = iota
	maybe
	yes
)

func (t truth) not() truth { return yes - t }

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// any is yes if one of n is, and maybe if one may be.
func anyOf(n int, f func(int) truth) truth {
	best := no
	for i := range n {
		best = max(best, f(i))
	}
	return best
}

// matches says whether the packet p satisfies a match.
func (w *walk) matches(s nftjson.Statement) truth {
	if s.Left.Kind == nftjson.Concat {
		t := w.concat(s.Left.Parts, s.Right)
		if s.Op == "!=" {
			return t.not()
		}
		return t
	}
	v, known := w.value(s.Left)
	switch known {
	case no: // a rule about another protocol
		return no
	case maybe:
		return w.unknownValue(s)
	}
	switch s.Op {
	case "==":
		return w.equal(s.Left.Text, v, s.Right, false)
	case "in":
		return w.equal(s.Left.Text, v, s.Right, true)
	case "!=":
		return w.equal(s.Left.Text, v, s.Right, false).not()
	}
	return compare(s.Left.Text, v, s.Op, s.Right)
}

// unknownValue answers for selectors whose value is not known but whose
// meaning is: no packet of ours comes over the loopback, and all come from
// where the route to their sender leads.
func (w *walk) unknownValue(s nftjson.Statement) truth {
	name := s.Left.Text
	switch {
	case (name == "meta iif" || name == "meta iifname") && s.Right.Kind == nftjson.Scalar && s.Right.Text == "lo":
		return truthOf(s.Op == "!=")
	case strings.HasPrefix(name, "fib saddr") && strings.HasSuffix(name, " oif") && s.Right.Kind == nftjson.Scalar:
		if s.Right.Text == "false" || s.Right.Text == "true" {
			return truthOf((s.Right.Text == "true") == (s.Op == "=="))
		}
	}
	return maybe
}

// value looks e up in the packet: yes with its value, no when the packet is
// none of that protocol, maybe when that is not known.
func (w *walk) value(e nftjson.Expr) (value, truth) {
	if e.Kind == nftjson.And {
		v, known := w.value(e.Parts[0])
		mask := listed(e.Parts[1])
		if known != yes || v.flags == nil || mask == nil {
			return value{}, min(known, maybe)
		}
		return words(slices.DeleteFunc(slices.Clone(v.flags), func(f string) bool { return !slices.Contains(mask, f) })...), yes
	}
	if e.Kind != nftjson.Selector {
		return value{}, maybe
	}
	if v, ok := w.p.fields[e.Text]; ok {
		return v, yes
	}
	proto, _, _ := strings.Cut(e.Text, " ")
	switch proto {
	case "meta", "ct", "fib", "socket", "rt", "osf":
		return value{}, maybe
	case "exthdr": // ours have none
		return value{}, no
	case "tcp", "th":
		return value{}, min(maybe, truthOf(w.p.proto == "tcp"))
	case "icmpv6":
		return value{}, min(maybe, truthOf(w.p.proto == "icmpv6"))
	case "ip6":
		return value{}, min(maybe, truthOf(w.p.v6))
	case "ip":
		return value{}, min(maybe, truthOf(!w.p.v6))
	}
	return value{}, no // udp, sctp, arp, ether, vlan, …
}

// listed gives the words of a scalar or list, nil for anything else.
func listed(e nftjson.Expr) []string {
	switch e.Kind {
	case nftjson.Scalar:
		return []string{e.Text}
	case nftjson.List:
		var out []string
		for _, p := range e.Parts {
			out = append(out, p.Text)
		}
		return out
	}
	return nil
}

// equal compares v, the value of selector name, with the right side of a match.
// some says that one common flag is enough, as in "ct state established,related".
func (w *walk) equal(name string, v value, e nftjson.Expr, some bool) truth {
	switch e.Kind {
	case nftjson.Anon:
		return anyOf(len(e.Parts), func(i int) truth { return w.equal(name, v, e.Parts[i], some) })
	case nftjson.Ref:
		set := w.rs.Set(w.family, w.table, e.Text)
		if set == nil {
			return maybe
		}
		return anyOf(len(set.Elements), func(i int) truth { return w.equal(name, v, set.Elements[i].Key, some) })
	case nftjson.Range:
		return min(compare(name, v, ">=", e.Parts[0]), compare(name, v, "<=", e.Parts[1]))
	case nftjson.Prefix:
		if !v.addr.IsValid() {
			return maybe
		}
		return truthOf(e.Prefix.Contains(v.addr))
	case nftjson.Scalar, nftjson.List:
		if v.flags != nil || e.Kind == nftjson.List {
			return flagsEqual(v, listed(e), some)
		}
		return scalarEqual(name, v, e.Text)
	}
	return maybe
}

func flagsEqual(v value, want []string, some bool) truth {
	if v.flags == nil {
		return anyOf(len(want), func(i int) truth { return truthOf(v.word == want[i]) })
	}
	common := 0
	for _, f := range want {
		if slices.Contains(v.flags, f) {
			common++
		}
	}
	if some {
		return truthOf(common > 0)
	}
	return truthOf(common == len(want) && common == len(v.flags))
}

func scalarEqual(name string, v value, want string) truth {
	if v.addr.IsValid() {
		addr, err := netip.ParseAddr(want)
		if err != nil {
			return maybe
		}
		return truthOf(addr == v.addr)
	}
	if prefix, ok := strings.CutSuffix(want, "*"); ok && strings.HasPrefix(name, "meta iif") {
		return truthOf(strings.HasPrefix(v.word, prefix))
	}
	return truthOf(v.word == want || v.word == numberOf(name, want))
}

// compare is an ordering, of addresses or of numbers.
func compare(name string, v value, op string, e nftjson.Expr) truth {
	if e.Kind != nftjson.Scalar {
		return maybe
	}
	var c int
	if v.addr.IsValid() {
		addr, err := netip.ParseAddr(e.Text)
		if err != nil {
			return maybe
		}
		c = v.addr.Compare(addr)
	} else {
		a, err := strconv.Atoi(v.word)
		b, err2 := strconv.Atoi(numberOf(name, e.Text))
		if err != nil || err2 != nil {
			return maybe
		}
		c = a - b
	}
	switch op {
	case "<":
		return truthOf(c < 0)
	case "<=":
		return truthOf(c <= 0)
	case ">":
		return truthOf(c > 0)
	case ">=":
		return truthOf(c >= 0)
	}
	return maybe
}

// concat compares several selectors at once with a concatenation, or with a set
// of them.
func (w *walk) concat(left []nftjson.Expr, right nftjson.Expr) truth {
	switch right.Kind {
	case nftjson.Anon:
		return anyOf(len(right.Parts), func(i int) truth { return w.concat(left, right.Parts[i]) })
	case nftjson.Ref:
		set := w.rs.Set(w.family, w.table, right.Text)
		if set == nil {
			return maybe
		}
		return anyOf(len(set.Elements), func(i int) truth { return w.concat(left, set.Elements[i].Key) })
	case nftjson.Concat:
		if len(right.Parts) != len(left) {
			return maybe
		}
		all := yes
		for i, l := range left {
			all = min(all, w.matches(nftjson.Statement{Kind: "match", Op: "==", Left: l, Right: right.Parts[i]}))
		}
		return all
	}
	return maybe
}
