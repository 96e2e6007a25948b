// Package nftjson reads what `nft -j list ruleset` prints (libnftables-json(5))
// into small values that a packet can be walked through. What it does not know
// stays visible as [Unknown], so that nobody takes it for nothing.
//
//	rs, err := nftjson.Parse(out)
//	for _, c := range rs.Chains {
//		if c.Hook == "input" { … }
//	}
package nftjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A Ruleset is everything that was listed, in that order.
type Ruleset struct {
	Tables []Table
	Chains []Chain
	Sets   []Set
}

// A Table is a name in a family: "inet", "ip", "ip6", "netdev", …
type Table struct{ Family, Name string }

// A Chain is a list of rules. The fields from Type on are empty for one that is
// only jumped to.
type Chain struct {
	Family, Table, Name string
	Type, Hook          string // "filter", "input"
	Prio                int    // lower runs first
	Policy              string // "accept", "drop"
	Rules               []Rule
}

// A Rule is its statements in order; nft evaluates them until one does not
// match or gives a verdict.
type Rule struct {
	Handle     int
	Comment    string
	Statements []Statement
}

// A Statement is one step of a rule. Kind is nft's own word for it ("match",
// "accept", "jump", "limit", "counter", "xt", …) and says which fields count.
type Statement struct {
	Kind string
	// Op, Left and Right are those of a match; Left is also the key of a vmap
	// and Right the reference to a named one.
	Op          string
	Left, Right Expr
	// Map is what an anonymous vmap leads to.
	Map []Element
	// Target is the chain of a jump or goto, and of an xt statement what
	// iptables calls it ("match conntrack").
	Target string
	// Over marks a limit, quota or "ct count" that matches only beyond its
	// bound, and a set statement that has one for each element.
	Over bool
	// Nested marks a set statement with other statements of its own, which may
	// end the rule.
	Nested bool
}

// A Set is a named set, or a map when its elements have verdicts.
type Set struct {
	Family, Table, Name string
	Type                []string // of each part: "inet_service"
	Elements            []Element
}

// An Element of a set; of a map with its verdict.
type Element struct {
	Key     Expr
	Verdict Statement
}

// Parse reads the listing. Objects of kinds that have no say in a verdict are
// left out; an input that is not such a listing is an error.
func Parse(data []byte) (Ruleset, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var listing struct {
		Objects []map[string]json.RawMessage `json:"nftables"`
	}
	if err := d.Decode(&listing); err != nil {
		return Ruleset{}, fmt.Errorf("read nft's listing: %w", err)
	}
	if listing.Objects == nil {
		return Ruleset{}, fmt.Errorf(`read nft's listing: no "nftables" in it`)
	}
	p := parser{chains: map[[3]string]int{}}
	for _, o := range listing.Objects {
		for kind, raw := range o {
			if err := p.object(kind, raw); err != nil {
				return Ruleset{}, fmt.Errorf("read nft's listing: %s: %w", kind, err)
			}
		}
	}
	return p.rs, nil
}

// object is the union of what tables, chains, rules, sets and maps hold.
type object struct {
	Family, Table, Name, Chain string
	Type                       any
	Hook                       string
	Prio                       any // a number; a name in some versions
	Policy                     string
	Handle                     int
	Comment                    string
	Expr                       []any
	Elem                       []any
}

type parser struct {
	rs     Ruleset
	chains map[[3]string]int // index in rs.Chains by family, table, name
}

func (p *parser) object(kind string, raw json.RawMessage) error {
	switch kind {
	case "table", "chain", "rule", "set", "map":
	default:
		return nil
	}
	var o object
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		return err
	}
	switch kind {
	case "table":
		p.rs.Tables = append(p.rs.Tables, Table{o.Family, o.Name})
	case "chain":
		p.chains[[3]string{o.Family, o.Table, o.Name}] = len(p.rs.Chains)
		typ, _ := o.Type.(string)
		prio, _ := strconv.Atoi(number(o.Prio))
		p.rs.Chains = append(p.rs.Chains, Chain{Family: o.Family, Table: o.Table, Name: o.Name,
			Type: typ, Hook: o.Hook, Prio: prio, Policy: o.Policy})
	case "rule":
		i, ok := p.chains[[3]string{o.Family, o.Table, o.Chain}]
		if !ok {
			return fmt.Errorf("handle %d: no chain %s in table %s %s", o.Handle, o.Chain, o.Family, o.Table)
		}
		r := Rule{Handle: o.Handle, Comment: o.Comment}
		for _, e := range o.Expr {
			r.Statements = append(r.Statements, statement(e))
		}
		p.rs.Chains[i].Rules = append(p.rs.Chains[i].Rules, r)
	default:
		s := Set{Family: o.Family, Table: o.Table, Name: o.Name, Type: words(o.Type)}
		for _, e := range o.Elem {
			s.Elements = append(s.Elements, element(e))
		}
		p.rs.Sets = append(p.rs.Sets, s)
	}
	return nil
}

// Chain returns the chain of that name in a table, or nil.
func (r Ruleset) Chain(family, table, name string) *Chain {
	for i, c := range r.Chains {
		if c.Family == family && c.Table == table && c.Name == name {
			return &r.Chains[i]
		}
	}
	return nil
}

// Set returns the set or map of that name in a table, or nil.
func (r Ruleset) Set(family, table, name string) *Set {
	for i, s := range r.Sets {
		if s.Family == family && s.Table == table && s.Name == name {
			return &r.Sets[i]
		}
	}
	return nil
}
