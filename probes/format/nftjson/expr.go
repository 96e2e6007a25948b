package nftjson

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
)

// An Expr is one side of a match.
type Expr struct {
	Kind Kind
	// Text is a selector's name as nft writes it ("tcp dport", "meta iifname",
	// "ct state"), a scalar's value ("443", "established"), a reference's set,
	// or the word that was not understood.
	Text string
	// Parts of a set, list or concatenation; the two ends of a range; value
	// and mask of an And.
	Parts  []Expr
	Prefix netip.Prefix
}

// Kind says what an [Expr] is.
type Kind string

// The kinds.
const (
	Selector Kind = "selector" // what is looked at
	Scalar   Kind = "scalar"
	Prefix   Kind = "prefix"
	Range    Kind = "range"
	Anon     Kind = "set"  // an anonymous set: any of Parts
	List     Kind = "list" // flags: established,related
	Concat   Kind = "concat"
	Ref      Kind = "reference" // a named set or map
	And      Kind = "and"       // value & mask
	Unknown  Kind = "unknown"
)

func expr(v any) Expr {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, "@"); ok {
			return Expr{Kind: Ref, Text: name}
		}
		return Expr{Kind: Scalar, Text: v}
	case json.Number:
		return Expr{Kind: Scalar, Text: v.String()}
	case bool:
		return Expr{Kind: Scalar, Text: strconv.FormatBool(v)}
	case []any:
		return Expr{Kind: List, Parts: exprs(v)}
	case map[string]any:
		for key, inner := range v {
			if len(v) == 1 {
				return operation(key, inner)
			}
		}
	}
	return Expr{Kind: Unknown, Text: "expression"}
}

func exprs(v any) []Expr {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := make([]Expr, len(list))
	for i, e := range list {
		out[i] = expr(e)
	}
	return out
}

// operation reads {key: inner}.
func operation(key string, inner any) Expr {
	unknown := Expr{Kind: Unknown, Text: key}
	fields, _ := inner.(map[string]any)
	word := func(name string) string { s, _ := fields[name].(string); return s }
	selector := func(parts ...string) Expr {
		text := strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
		return Expr{Kind: Selector, Text: text}
	}
	switch key {
	case "payload":
		if word("protocol") == "" || word("field") == "" {
			return unknown // raw bytes
		}
		return selector(word("protocol"), word("field"))
	case "meta", "socket":
		return selector(key, word("key"))
	case "ct":
		return selector(key, word("dir"), word("key"))
	case "exthdr", "tcp option":
		return selector(key, word("name"), word("field"))
	case "fib":
		return selector(key, strings.Join(words(fields["flags"]), " "), word("result"))
	case "elem":
		return expr(fields["val"])
	case "prefix":
		addr, err := netip.ParseAddr(word("addr"))
		bits, err2 := strconv.Atoi(number(fields["len"]))
		if err != nil || err2 != nil {
			return unknown
		}
		p, err := addr.Prefix(bits)
		if err != nil {
			return unknown
		}
		return Expr{Kind: Prefix, Prefix: p}
	}
	kinds := map[string]Kind{"range": Range, "set": Anon, "concat": Concat, "&": And, "|": List}
	kind, ok := kinds[key]
	parts := exprs(inner)
	if !ok || parts == nil || (kind == Range || kind == And) && len(parts) != 2 {
		return unknown
	}
	return Expr{Kind: kind, Parts: parts}
}

// statement reads one member of a rule's "expr".
func statement(v any) Statement {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return Statement{Kind: string(Unknown)}
	}
	for kind, inner := range m {
		s := Statement{Kind: kind}
		fields, _ := inner.(map[string]any)
		switch kind {
		case "match":
			s.Op, _ = fields["op"].(string)
			s.Left, s.Right = expr(fields["left"]), expr(fields["right"])
		case "vmap":
			s.Left = expr(fields["key"])
			s.Right, s.Map = mapped(fields["data"])
		case "jump", "goto":
			s.Target, _ = fields["target"].(string)
		case "limit", "quota", "ct count":
			s.Over, _ = fields["inv"].(bool)
		case "set", "map":
			s.Over, s.Nested = nested(fields["stmt"])
		case "xt":
			typ, _ := fields["type"].(string)
			name, _ := fields["name"].(string)
			s.Target = strings.TrimSpace(typ + " " + name)
		}
		return s
	}
	return Statement{Kind: string(Unknown)}
}

// nested reads the statements for each element of a set: over when one of them
// matches only beyond a bound, other when one is neither a bound nor a counter.
func nested(v any) (over, other bool) {
	list, _ := v.([]any)
	for _, e := range list {
		switch s := statement(e); s.Kind {
		case "limit", "quota", "ct count":
			over = over || s.Over
		case "counter", "last":
		default:
			other = true
		}
	}
	return over, other
}

// mapped reads a vmap's data: a reference, or an anonymous map.
func mapped(v any) (Expr, []Element) {
	e := expr(v)
	set, ok := v.(map[string]any)
	if e.Kind != Anon || !ok {
		return e, nil
	}
	list, _ := set["set"].([]any)
	out := make([]Element, len(list))
	for i, pair := range list {
		out[i] = element(pair)
	}
	return Expr{Kind: Anon}, out
}

// element reads a set's element, or the pair of key and verdict of a map's.
func element(v any) Element {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return Element{Key: expr(v)}
	}
	return Element{Key: expr(pair[0]), Verdict: statement(pair[1])}
}

func number(v any) string {
	n, _ := v.(json.Number)
	return n.String()
}

// words reads a string or a list of strings.
func words(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, w := range v {
			if s, ok := w.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
