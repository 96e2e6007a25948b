package firewall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"watchdog/probes/format/nftjson"
)

// An outcome is the set of what may become of a packet; more than one bit means
// that it depends on something unknown.
type outcome uint8

const (
	accepted outcome = 1 << iota
	dropped
	goesOn   // to the next rule
	returned // from the chain
)

// A walk takes one packet through the rules of one table.
type walk struct {
	rs            nftjson.Ruleset
	p             packet
	family, table string
	by            place // the rule that decided
	// doubts are the rules that could not be understood and mattered.
	doubts []string
}

// maxDepth is how deep chains may call each other; the kernel allows 16
// (NFT_JUMP_STACK_SIZE).
const maxDepth = 16

// A place is a rule of a chain, or the chain's policy when handle is 0.
type place struct {
	chain  *nftjson.Chain
	handle int
}

func (p place) String() string {
	what := fmt.Sprintf("rule %d", p.handle)
	if p.handle == 0 {
		what = "policy " + p.chain.Policy
	}
	return fmt.Sprintf("%s of chain %s %s %s", what, p.chain.Family, p.chain.Table, p.chain.Name)
}

// A fate is what becomes of a packet.
type fate struct {
	accepted bool
	by       string   // the rule or policy that decided
	doubts   []string // not empty: it depends on these rules, which aren't understood
}

// judge takes p through every base chain that it would meet on its way to a
// process of this host: prerouting, then input. One that drops it is enough;
// one that accepts it hands it to the next chain. NAT is left out: it changes
// where packets go, not whether they may.
func judge(rs nftjson.Ruleset, p packet) fate {
	end := fate{accepted: true, by: "no chain filters it"}
	for _, c := range baseChains(rs, p.v6) {
		w := &walk{rs: rs, p: p, family: c.Family, table: c.Table}
		out := w.chain(c, 0)
		if out&(goesOn|returned) != 0 {
			out &^= goesOn | returned
			if c.Policy == "drop" {
				out |= dropped
			} else {
				out |= accepted
			}
			if w.by.chain == nil {
				w.by.chain = c
			}
		}
		switch out {
		case dropped:
			return fate{by: w.by.String()}
		case accepted:
			end.by = w.by.String()
		default:
			end.doubts = append(end.doubts, w.doubts...)
		}
	}
	return end
}

// baseChains lists the filtering chains on the packet's way, in the kernel's
// order.
func baseChains(rs nftjson.Ruleset, v6 bool) []*nftjson.Chain {
	own := "ip"
	if v6 {
		own = "ip6"
	}
	var out []*nftjson.Chain
	for i, c := range rs.Chains {
		ours := c.Family == "inet" || c.Family == own
		if ours && c.Type == "filter" && (c.Hook == "prerouting" || c.Hook == "input") {
			out = append(out, &rs.Chains[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *nftjson.Chain) int {
		// "prerouting" comes first and sorts last.
		return cmp.Or(-cmp.Compare(a.Hook, b.Hook), cmp.Compare(a.Prio, b.Prio))
	})
	return out
}

func (w *walk) chain(c *nftjson.Chain, depth int) outcome {
	var out outcome
	for _, r := range c.Rules {
		o := w.rule(c, r, depth)
		out |= o &^ goesOn
		if o&goesOn == 0 {
			return out
		}
	}
	return out | goesOn
}

// rule returns what a rule does with the packet: goesOn when it does not match
// or has no verdict.
func (w *walk) rule(c *nftjson.Chain, r nftjson.Rule, depth int) outcome {
	at := place{c, r.Handle}
	sure := true
	doubt := func(what string) {
		sure = false
		w.doubts = append(w.doubts, fmt.Sprintf("%s (%s)", at, what))
	}
	// end adds that the rule may not have come to its verdict at all.
	end := func(o outcome) outcome {
		if !sure {
			o |= goesOn
		}
		return o
	}
	for _, s := range r.Statements {
		switch s.Kind {
		case "match":
			switch w.matches(s) {
			case no:
				return goesOn
			case maybe:
				doubt(describe(s))
			}
		case "limit", "quota", "ct count", "set", "map":
			// Nothing of ours is frequent: a bound is never reached, and what
			// is for those beyond it does not apply.
			if s.Over {
				return goesOn
			}
			if s.Nested {
				doubt(s.Kind)
			}
		case "counter", "log", "mangle", "notrack", "last", "comment", "secmark":
		case "vmap":
			o, known := w.vmap(at, s, depth)
			if !known {
				doubt("vmap")
			}
			return end(o)
		default:
			if s.Kind == "xt" && strings.HasPrefix(s.Target, "match ") {
				doubt(describe(s))
				continue
			}
			o, known := w.verdict(at, s, depth)
			if !known {
				doubt(describe(s))
			}
			return end(o)
		}
	}
	return goesOn
}

// everything is what may come of a statement that is not understood.
const everything = accepted | dropped | goesOn | returned

// verdict returns what a statement that ends a rule leads to, and whether it is
// known.
func (w *walk) verdict(at place, s nftjson.Statement, depth int) (outcome, bool) {
	switch s.Kind {
	case "accept":
		w.by = at
		return accepted, true
	case "drop", "reject":
		w.by = at
		return dropped, true
	case "return":
		return returned, true
	case "continue":
		return goesOn, true
	case "xt":
		if s.Target == "target REJECT" {
			w.by = at
			return dropped, true
		}
	case "jump", "goto":
		to := w.rs.Chain(w.family, w.table, s.Target)
		if to == nil || depth >= maxDepth {
			return everything, false
		}
		o := w.chain(to, depth+1)
		if o&(goesOn|returned) != 0 {
			o &^= goesOn | returned
			if s.Kind == "jump" {
				o |= goesOn
			} else { // back to the caller of the chain that held the goto
				o |= returned
			}
		}
		return o, true
	}
	return everything, false
}

// vmap returns what the verdict map leads to for this packet.
func (w *walk) vmap(at place, s nftjson.Statement, depth int) (outcome, bool) {
	elements := s.Map
	if s.Right.Kind == nftjson.Ref {
		m := w.rs.Set(w.family, w.table, s.Right.Text)
		if m == nil {
			return everything, false
		}
		elements = m.Elements
	}
	var out outcome
	known := true
	for _, e := range elements {
		t := w.matches(nftjson.Statement{Kind: "match", Op: "==", Left: s.Left, Right: e.Key})
		if t == no {
			continue
		}
		o, ok := w.verdict(at, e.Verdict, depth)
		out |= o
		if t == yes {
			return out, known && ok
		}
		known = false
	}
	return out | goesOn, known
}

// describe names a statement that is not understood.
func describe(s nftjson.Statement) string {
	switch {
	case s.Kind == "match" && s.Left.Text != "":
		return s.Left.Text
	case s.Target != "":
		return s.Kind + " " + s.Target
	}
	return s.Kind
}
