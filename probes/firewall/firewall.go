// Package firewall judges the host's packet filter by what it does to packets.
//
// It reads the kernel's rules once and walks made-up packets through them: an
// answer to a connection of the host's own, neighbour discovery, a router's
// packet-too-big, new connections to ports that must be open and to ports that
// must be closed. Whose rules they are and how they are written does not
// matter. A rule that looks at something unknown may match or not; where that
// changes the outcome the probe could not look, and says which rule it was.
package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/nftjson"
	"watchdog/probes/host"
)

// The codes.
const (
	Missing       probes.Code = "firewall.missing"
	NDPBlocked    probes.Code = "firewall.ndp-blocked"
	ReturnBlocked probes.Code = "firewall.return-blocked"
	PortBlocked   probes.Code = "firewall.port-blocked"
	OpenPort      probes.Code = "firewall.open-port"
)

// All is the subject of [OpenPort] when an address family is not filtered at
// all.
const All = "all"

// Rules is the probe firewall.rules.
type Rules struct {
	Public netip.Addr // the host's public address
	Table  string     // the name of our own table
	// Open are the TCP ports that the world has to reach, Allowed all that
	// it may.
	Open, Allowed []uint16
	// SSH says that it may reach sshd's too, wherever that listens: so it is
	// where the site names nobody for administration.
	SSH bool
}

// Spec implements [probes.Probe].
func (r Rules) Spec() probes.Spec {
	return probes.Spec{
		ID:      "firewall.rules",
		Summary: "what the packet filter does to packets from outside",
		Codes:   []probes.Code{Missing, NDPBlocked, ReturnBlocked, PortBlocked, OpenPort},
		Every:   10 * time.Second,
		Timeout: 3 * time.Second,
		Wakes:   []probes.Wake{{Kind: probes.WakeFirewall}},
	}
}

// Observe implements [probes.Probe].
func (r Rules) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	rs, err := List(ctx, h)
	if err != nil {
		return nil, err
	}
	t, err := r.target(ctx, h)
	if err != nil {
		return nil, err
	}
	j := judgement{rs: rs, target: t}
	found := j.openPorts(r)
	if len(found) == 1 && found[0].Code == Missing {
		return found, nil
	}
	if r.SSH && len(found) > 0 {
		ports, err := h.SSHPorts(ctx)
		if err != nil {
			return nil, fmt.Errorf("find the ports of administration: %w", err)
		}
		r.Allowed = slices.Concat(r.Allowed, ports)
		found = j.openPorts(r)
	}
	must := j.mustPass(r)
	if found = append(must, found...); len(found) > 0 {
		return found, nil
	}
	return nil, j.doubt()
}

// List asks the kernel for its rules.
func List(ctx context.Context, h *host.Host) (nftjson.Ruleset, error) {
	out, err := h.Exec.Run(ctx, "nft", "-j", "list", "ruleset")
	if err != nil {
		return nftjson.Ruleset{}, fmt.Errorf("list the packet filter's rules: %w", err)
	}
	return nftjson.Parse(out)
}

// Admits reports whether rules let a new TCP connection from the world reach
// the port, and which rule decides. An error names the rules that make it
// impossible to say.
func Admits(rs nftjson.Ruleset, public netip.Addr, port uint16) (bool, string, error) {
	t := target{v6: public}
	j := judgement{rs: rs, target: t}
	f := j.ask(t.newTCP(connection(port), public, port))
	return f.accepted, f.by, j.doubt()
}

// target finds out by which interface packets for the public address come.
func (r Rules) target(ctx context.Context, h *host.Host) (target, error) {
	if !r.Public.Is6() {
		return target{}, errors.New("judge the packet filter: the host's public IPv6 address is not known")
	}
	// A host without an IPv4 address may get one tomorrow: then the rules must
	// hold already.
	t := target{v6: r.Public, v4: netip.MustParseAddr("192.0.2.1")}
	addresses, err := h.Net.Addresses(ctx)
	if err != nil {
		return target{}, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addresses {
		if a.Prefix.Addr() == r.Public {
			t.iface = a.Interface
		}
	}
	for _, a := range addresses {
		if ip := a.Prefix.Addr(); ip.Is4() && !ip.IsLoopback() && (t.iface == "" || a.Interface == t.iface) {
			t.v4 = ip
			break
		}
	}
	return t, nil
}

// A judgement is one set of rules, and what could not be told of it.
type judgement struct {
	rs     nftjson.Ruleset
	target target
	doubts []string
}

func (j *judgement) ask(p packet) fate {
	f := judge(j.rs, p)
	for _, d := range f.doubts {
		if d = fmt.Sprintf("%s: %s", p.what, d); !slices.Contains(j.doubts, d) {
			j.doubts = append(j.doubts, d)
		}
	}
	return f
}

// maxDoubts bounds how many rules an error names.
const maxDoubts = 4

func (j *judgement) doubt() error {
	if len(j.doubts) == 0 {
		return nil
	}
	named := j.doubts[:min(len(j.doubts), maxDoubts)]
	return fmt.Errorf("judge the packet filter: it depends on rules that aren't understood: %s", strings.Join(named, "; "))
}

// mustPass finds packets that have to pass and don't.
func (j *judgement) mustPass(r Rules) []probes.Finding {
	t := j.target
	var found []probes.Finding
	drop := func(code probes.Code, subject, summary string, packets ...packet) {
		f := probes.Finding{Code: code, Subject: subject, Summary: summary}
		for _, p := range packets {
			if e := j.ask(p); !e.accepted && len(e.doubts) == 0 {
				f.Evidence = append(f.Evidence, evidence(e.by, p.what+" accepted", "dropped"))
			}
		}
		if len(f.Evidence) > 0 {
			found = append(found, f)
		}
	}
	drop(NDPBlocked, "", "the packet filter drops neighbour discovery: routers and neighbours lose this host",
		t.neighbour("a neighbour's solicitation to the group", "nd-neighbor-solicit", solicited(t.v6)),
		t.neighbour("a neighbour's solicitation", "nd-neighbor-solicit", t.v6),
		t.neighbour("a neighbour's advertisement", "nd-neighbor-advert", t.v6))
	drop(ReturnBlocked, "", "the packet filter drops what comes back to connections of this host", t.reply(), t.tooBig())
	for _, port := range r.Open {
		drop(PortBlocked, strconv.Itoa(int(port)), fmt.Sprintf("the packet filter drops connections to port %d from outside", port),
			t.newTCP(connection(port), t.v6, port))
	}
	return found
}

// openPorts finds ports that have to be closed and aren't.
func (j *judgement) openPorts(r Rules) []probes.Finding {
	asked := ports(j.rs, r.Allowed)
	type hole struct{ family, by string }
	holes := map[uint16][]hole{}
	filtered := 0 // families in which something is dropped
	var unfiltered []hole
	for _, dst := range []netip.Addr{j.target.v6, j.target.v4} {
		family := "IPv6"
		if dst.Is4() {
			family = "IPv4"
		}
		open := map[uint16]string{}
		for _, port := range asked {
			if f := j.ask(j.target.newTCP(family+": "+connection(port), dst, port)); f.accepted && len(f.doubts) == 0 {
				open[port] = f.by
			}
		}
		if len(open) == len(asked) {
			unfiltered = append(unfiltered, hole{family, open[asked[len(asked)-1]]})
			continue
		}
		filtered++
		for port, by := range open {
			holes[port] = append(holes[port], hole{family, by})
		}
	}
	ours := slices.ContainsFunc(j.rs.Tables, func(t nftjson.Table) bool { return t.Name == r.Table })
	if filtered == 0 && !ours {
		return []probes.Finding{{Code: Missing, Summary: "no packet filter closes any port",
			Evidence: []probes.Evidence{evidence(unfiltered[0].by, "ports "+list(closed)+" closed from outside", "every one accepted")}}}
	}
	var found []probes.Finding
	if len(unfiltered) > 0 {
		f := probes.Finding{Code: OpenPort, Subject: All, Summary: "the packet filter leaves every port open"}
		for _, u := range unfiltered {
			f.Evidence = append(f.Evidence, evidence(u.by, "new connections over "+u.family+" dropped unless allowed", "accepted"))
		}
		found = append(found, f)
	}
	for _, port := range asked {
		if len(holes[port]) == 0 {
			continue
		}
		f := probes.Finding{Code: OpenPort, Subject: strconv.Itoa(int(port)), Summary: fmt.Sprintf("the packet filter lets anybody reach port %d", port)}
		for _, o := range holes[port] {
			f.Evidence = append(f.Evidence, evidence(o.by, connection(port)+" over "+o.family+" dropped", "accepted"))
		}
		found = append(found, f)
	}
	return found
}

func connection(port uint16) string { return fmt.Sprintf("a new connection to port %d", port) }

func evidence(by, want, got string) probes.Evidence {
	return probes.Evidence{Source: by, Want: want, Got: got, Command: "nft -a list ruleset"}
}

func list(ports []uint16) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(int(p))
	}
	return strings.Join(words, ", ")
}
