package remedies

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/nftjson"
)

// The names of what is ours in the kernel's rules.
const (
	edgeTable = "watchdog_edge"
	edgeSet   = "allowed_tcp"
)

// An edge is the firewall of one host: who may reach which TCP ports.
type edge struct {
	public []uint16       // from anywhere
	ssh    []uint16       // of administration
	admin  []netip.Prefix // its sources; from anywhere when there are none
}

// A rule has a comment that names it, by which the kernel's list is told from
// one that somebody changed: nft prints rules otherwise than they were written,
// and otherwise in each version, but not comments.
type rule struct{ note, text, comment string }

// rules are those of the input chain. What is not let in is dropped.
func (e edge) rules() []rule {
	rules := []rule{
		{"", `iifname "lo" accept`, "loopback"},
		{"", `ct state vmap { established : accept, related : accept, invalid : drop }`, "replies"},
		{"without these four IPv6 itself stops: neighbours, routers, path MTU, errors (RFC 4890)",
			`ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, nd-redirect } accept`, "neighbours"},
		{"", `icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept`, "errors"},
		{"", `icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept`, "multicast"},
		{"", `icmpv6 type echo-request limit rate 10/second burst 20 packets accept`, "ping"},
		{"", `udp sport 547 udp dport 546 ip6 saddr fe80::/10 accept`, "DHCPv6"},
	}
	rules = append(rules, e.administration()...)
	return append(rules,
		rule{"", `tcp dport @` + edgeSet + ` ct state new accept`, "public"},
		rule{"", `limit rate 5/minute burst 5 packets log prefix "edge drop: " level info`, "log"})
}

func (e edge) administration() []rule {
	if len(e.ssh) == 0 {
		return nil
	}
	to := "tcp dport { " + list(e.ssh) + " } ct state new accept"
	if len(e.admin) == 0 {
		return []rule{{"WARNING: ssh is open to everybody, so that nobody is locked out. Name the sources\n" +
			"    # of administration in site.yaml (firewall: admin) to close it to others.", to, "administration"}}
	}
	var rules []rule
	for _, family := range []string{"ip6", "ip"} {
		from := slices.DeleteFunc(slices.Clone(e.admin), func(p netip.Prefix) bool { return p.Addr().Is4() != (family == "ip") })
		if len(from) > 0 {
			rules = append(rules, rule{"", family + " saddr { " + list(from) + " } " + to, "administration " + family})
		}
	}
	return rules
}

func list[T any](all []T) string {
	var words []string
	for _, v := range all {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ", ")
}

// edgeHead replaces the table as one with the rest of the file: the first line
// makes it, if it was not there, so that the second can remove it.
const edgeHead = "#!/usr/sbin/nft -f\n" +
	"# By watchdog: the edge of this host. It replaces its own table, never the whole ruleset.\n" + edgeOff + "\n"

// edgeOff is what takes the table away, there or not.
const edgeOff = "table inet " + edgeTable + "\ndelete table inet " + edgeTable + "\n"

// lastComment names the last rule, and the text that all rules are from.
const lastComment = "dropped at the edge, rules "

// text is the file for nft -f.
func (e edge) text() []byte {
	var b strings.Builder
	b.WriteString(edgeHead)
	fmt.Fprintf(&b, "table inet %s {\n", edgeTable)
	fmt.Fprintf(&b, "  set %s { type inet_service; elements = { %s } }   # 80: redirect + ACME http-01\n\n", edgeSet, list(e.public))
	b.WriteString("  chain input {\n    type filter hook input priority filter; policy drop;\n\n")
	for _, r := range e.rules() {
		if r.note != "" {
			fmt.Fprintf(&b, "\n    # %s\n", r.note)
		}
		fmt.Fprintf(&b, "    %s comment %q\n", r.text, r.comment)
	}
	sum := sha256.Sum256([]byte(b.String()))
	fmt.Fprintf(&b, "    counter comment %q\n  }\n}\n", lastComment+fmt.Sprintf("%x", sum[:6]))
	return []byte(b.String())
}

var edgeDigest = regexp.MustCompile(regexp.QuoteMeta(lastComment) + `([0-9a-f]+)`)

// digest is what tells the rules of one text from those of another; empty for
// a text that is not ours.
func digest(text []byte) string {
	if m := edgeDigest.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// differs says in what the table in force is not e's, or nothing.
func (e edge) differs(rs nftjson.Ruleset) string {
	chain := rs.Chain("inet", edgeTable, "input")
	if chain == nil {
		return "not loaded"
	}
	if chain.Type != "filter" || chain.Hook != "input" || chain.Prio != 0 || chain.Policy != "drop" {
		return fmt.Sprintf("its chain is of type %s, hook %s, priority %d, policy %s", chain.Type, chain.Hook, chain.Prio, chain.Policy)
	}
	for _, c := range rs.Chains {
		if c.Family == "inet" && c.Table == edgeTable && c.Name != chain.Name {
			return "another chain is in it: " + c.Name
		}
	}
	want := []string{}
	for _, r := range e.rules() {
		want = append(want, r.comment)
	}
	want = append(want, lastComment+digest(e.text()))
	got := []string{}
	for _, r := range chain.Rules {
		got = append(got, r.Comment)
	}
	if !slices.Equal(want, got) {
		return fmt.Sprintf("its rules are %q", got)
	}
	return e.setDiffers(rs)
}

func (e edge) setDiffers(rs nftjson.Ruleset) string {
	set := rs.Set("inet", edgeTable, edgeSet)
	if set == nil {
		return "its set " + edgeSet + " is gone"
	}
	var got []string
	for _, el := range set.Elements {
		if el.Key.Kind != nftjson.Scalar {
			return "its set " + edgeSet + " holds other things than ports"
		}
		got = append(got, el.Key.Text)
	}
	var want []string
	for _, p := range e.public {
		want = append(want, strconv.Itoa(int(p)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(want, got) {
		return fmt.Sprintf("its set %s holds %s", edgeSet, strings.Join(got, ", "))
	}
	return ""
}
