package nftjson

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The listings in testdata are what nft 1.0.6 printed for the rules beside
// them:
//
//	unshare -n sh -c 'ip link set lo up; nft -f X.nft && nft -j list ruleset' > X.json
//
// iptables.json came out of iptables-nft 1.8.9 and has no rules beside it.
func recorded(t *testing.T, name string) Ruleset {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func scalar(s string) Expr          { return Expr{Kind: Scalar, Text: s} }
func selector(s string) Expr        { return Expr{Kind: Selector, Text: s} }
func of(k Kind, parts ...Expr) Expr { return Expr{Kind: k, Parts: parts} }

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// TestStatements reads one of each form that rules written by hand use.
func TestStatements(t *testing.T) {
	match := func(op string, left, right Expr) Statement {
		return Statement{Kind: "match", Op: op, Left: left, Right: right}
	}
	port := selector("tcp dport")
	flags := of(And, selector("tcp flags"), of(List, scalar("fin"), scalar("syn"), scalar("rst"), scalar("ack")))
	tests := map[int]Statement{ // the first statement of the rule with that handle
		10: match("==", port, of(Anon, scalar("80"), scalar("443"), of(Range, scalar("1000"), scalar("1010")))),
		11: match("==", port, Expr{Kind: Ref, Text: "ports"}),
		12: {Kind: "return"},
		13: match("==", selector("meta iif"), scalar("lo")),
		15: match("==", selector("meta iifname"), of(Anon, scalar("eth0"), scalar("wg*"))),
		17: match("in", selector("ct state"), of(List, scalar("established"), scalar("related"))),
		18: match("in", selector("ct state"), scalar("invalid")),
		23: match("==", of(Concat, selector("ip6 saddr"), port), Expr{Kind: Ref, Text: "pair"}),
		25: match("==", of(Concat, selector("ip6 saddr"), port), of(Anon, of(Concat, scalar("2001:db8::7"), scalar("22")))),
		34: match("==", flags, scalar("syn")),
		41: {Kind: "vmap", Left: port, Right: Expr{Kind: Ref, Text: "verdicts"}},
		43: {Kind: "vmap", Left: port, Right: Expr{Kind: Anon}, Map: []Element{
			{scalar("25"), Statement{Kind: "drop"}},
			{of(Range, scalar("26"), scalar("30")), Statement{Kind: "goto", Target: "tcp_in"}},
		}},
		44: {Kind: "mangle"},
		47: match("==", selector("fib daddr type"), scalar("local")),
		48: match("==", selector("fib saddr iif oif"), scalar("false")),
		52: match("==", selector("ip daddr"), Expr{Kind: Prefix, Prefix: netip.MustParsePrefix("10.0.0.0/8")}),
		62: match("==", selector("tcp option maxseg size"), of(Range, scalar("1"), scalar("500"))),
		63: match("==", selector("exthdr frag"), scalar("true")),
		67: {Kind: "jump", Target: "tcp_in"},
		68: {Kind: "reject"},
	}
	rules := map[int]Rule{}
	for _, c := range recorded(t, "hand").Chains {
		for _, r := range c.Rules {
			rules[r.Handle] = r
		}
	}
	for handle, want := range tests {
		if len(rules[handle].Statements) == 0 {
			t.Errorf("handle %d: no rule", handle)
			continue
		}
		if diff := cmp.Diff(want, rules[handle].Statements[0], prefixes); diff != "" {
			t.Errorf("handle %d (-want +got):\n%s", handle, diff)
		}
	}
	if s := rules[38].Statements[2]; s.Kind != "limit" || !s.Over {
		t.Errorf("limit over: got %+v", s)
	}
	if s := rules[39].Statements[1]; s.Kind != "ct count" || !s.Over {
		t.Errorf("ct count over: got %+v", s)
	}
}

func TestChainsAndSets(t *testing.T) {
	rs := recorded(t, "hand")
	input := rs.Chain("inet", "filter", "input")
	if input == nil || input.Hook != "input" || input.Type != "filter" || input.Policy != "accept" || len(input.Rules) != 48 {
		t.Fatalf("chain input: hook %q, type %q, policy %q, %d rules", input.Hook, input.Type, input.Policy, len(input.Rules))
	}
	if c := rs.Chain("ip6", "filter", "input"); c != nil {
		t.Errorf("found a chain of another family: %+v", c)
	}
	want := &Set{Family: "inet", Table: "filter", Name: "verdicts", Type: []string{"inet_service"}, Elements: []Element{
		{scalar("80"), Statement{Kind: "accept"}},
		{scalar("443"), Statement{Kind: "jump", Target: "web"}},
	}}
	if diff := cmp.Diff(want, rs.Set("inet", "filter", "verdicts"), prefixes); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
	blocked := rs.Set("inet", "filter", "blocked")
	if diff := cmp.Diff([]Element{{Key: scalar("2001:db8:1::9")}}, blocked.Elements, prefixes); diff != "" {
		t.Errorf("an element that times out (-want +got):\n%s", diff)
	}
	prio := recorded(t, "firewalld").Chain("inet", "firewalld", "filter_INPUT").Prio
	if prio != 10 {
		t.Errorf("priority %d, want 10", prio)
	}
}

func TestForeignRules(t *testing.T) {
	c := recorded(t, "iptables").Chain("ip6", "filter", "INPUT")
	if got := c.Rules[1].Statements[0]; got.Kind != "xt" || got.Target != "match conntrack" {
		t.Errorf("iptables' own match: got %+v", got)
	}
}

// TestThrottle reads what rules do for each element of a set.
func TestThrottle(t *testing.T) {
	tests := map[string]struct{ over, nested bool }{
		`[]`:                                {},
		`[{"limit":{"rate":3,"inv":true}}]`: {over: true},
		`[{"counter":null},{"ct count":{"val":5,"inv":true}}]`: {over: true},
		`[{"limit":{"rate":3}}]`:                               {},
		`[{"quota":{"val":3,"inv":true}},{"xt":null}]`:         {over: true, nested: true},
	}
	for stmt, want := range tests {
		in := `{"nftables":[{"chain":{"family":"inet","table":"t","name":"c"}},{"rule":{"family":"inet","table":"t","chain":"c","handle":1,` +
			`"expr":[{"set":{"op":"add","elem":"x","set":"@s","stmt":` + stmt + `}}]}}]}`
		rs, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if s := rs.Chains[0].Rules[0].Statements[0]; s.Over != want.over || s.Nested != want.nested {
			t.Errorf("%s: over %v, nested %v; want %+v", stmt, s.Over, s.Nested, want)
		}
	}
	if s := recorded(t, "throttle").Chain("inet", "watchdog_edge", "input").Rules[2].Statements[2]; s.Kind != "set" || !s.Over || s.Nested {
		t.Errorf("recorded: got %+v", s)
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]string{
		"":               "EOF",
		"{}":             `no "nftables"`,
		`{"nftables":1}`: "cannot unmarshal",
		`{"nftables":[{"rule":{"family":"ip6","table":"t","chain":"c","handle":7,"expr":[]}}]}`: "handle 7: no chain c",
		"internal:0:0-0: Error: Could not process rule":                                         "invalid character",
	}
	for in, want := range tests {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recorded listings: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, err := Parse(data)
		if err != nil {
			return
		}
		for _, c := range rs.Chains {
			for _, r := range c.Rules {
				for _, s := range r.Statements {
					if s.Kind == "match" {
						checkExpr(t, s.Left)
						checkExpr(t, s.Right)
					}
				}
			}
		}
	})
}

// checkExpr holds what whoever walks an expression relies on.
func checkExpr(t *testing.T, e Expr) {
	switch {
	case e.Kind == "":
		t.Fatalf("expression without a kind: %+v", e)
	case (e.Kind == Range || e.Kind == And) && len(e.Parts) != 2:
		t.Fatalf("%s of %d parts", e.Kind, len(e.Parts))
	case e.Kind == Prefix && !e.Prefix.IsValid():
		t.Fatalf("prefix is not valid: %+v", e)
	}
	for _, p := range e.Parts {
		checkExpr(t, p)
	}
}
