// Package dns probes the zone as the site's clients see it: AAAA and A records
// on the wire, from each resolver of this host. No other probe needs a name to
// resolve, so nothing else goes blind when this finds resolvers down.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"watchdog/probes"
	"watchdog/probes/format/resolvconf"
	"watchdog/probes/host"
)

// The codes.
const (
	APresent     probes.Code = "dns.a-present"
	AAAAMissing  probes.Code = "dns.aaaa-missing"
	AAAAWrong    probes.Code = "dns.aaaa-wrong"
	ResolverDown probes.Code = "dns.resolver-down"
)

// Zone is the probe dns.zone.
type Zone struct{ Names []Name }

// A Name is a public name and the address that its AAAA record has to hold.
type Name struct {
	FQDN string
	Addr netip.Addr
}

// resolvConf names the resolvers.
const resolvConf = "/etc/resolv.conf"

// Spec implements [probes.Probe].
func (p Zone) Spec() probes.Spec {
	return probes.Spec{
		ID:      "dns.zone",
		Summary: "AAAA and A records of the site's names, from each resolver",
		Codes:   []probes.Code{APresent, AAAAMissing, AAAAWrong, ResolverDown},
		Every:   30 * time.Second,
		Timeout: patience + time.Second,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: resolvConf}},
	}
}

// Observe implements [probes.Probe].
func (p Zone) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	data, err := h.FS.ReadFile(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("read the resolvers: %w", err)
	}
	var servers []*resolver
	for _, addr := range resolvconf.Servers(data) {
		servers = append(servers, &resolver{addr: addr})
	}
	type question struct {
		name  int
		rtype uint16
	}
	var questions []question
	for i := range p.Names {
		questions = append(questions, question{i, dns.TypeAAAA}, question{i, dns.TypeA})
	}
	answers := make([][]answer, len(questions))
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() { s.pulse(ctx, h) })
	}
	for i, q := range questions {
		answers[i] = make([]answer, len(servers))
		for j, s := range servers {
			wg.Go(func() { answers[i][j] = s.ask(ctx, h, p.Names[q.name].FQDN, q.rtype) })
		}
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []probes.Finding
	var unsure error
	for i, q := range questions {
		f, err := p.Names[q.name].judge(q.rtype, answers[i])
		found, unsure = append(found, f...), errors.Join(unsure, err)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, unsure
}

// judge holds the answers of all resolvers to one question against what the
// zone should say. That none of them answers is told of with AAAA; for A it
// is only not known.
func (n Name) judge(rtype uint16, answers []answer) ([]probes.Finding, error) {
	down := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.err == nil })
	if len(down) == len(answers) {
		if rtype == dns.TypeA {
			return nil, fmt.Errorf("ask for A of %s: %w", n.FQDN, down[0].err)
		}
		return []probes.Finding{n.find(ResolverDown, "no resolver of this host answers for "+n.FQDN, "an answer", rtype, down)}, nil
	}
	pick := func(wrong func(answer) bool) []answer {
		return slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.err != nil || !wrong(a) })
	}
	var found []probes.Finding
	if rtype == dns.TypeA {
		if bad := pick(func(a answer) bool { return len(a.addrs) > 0 }); len(bad) > 0 {
			found = append(found, n.find(APresent, fmt.Sprintf("%s has an A record, %s: delete it", n.FQDN, bad[0].addrs[0]), "no A record", rtype, bad))
		}
		return found, nil
	}
	if bad := pick(func(a answer) bool { return len(a.addrs) == 0 }); len(bad) > 0 {
		found = append(found, n.find(AAAAMissing, n.FQDN+" has no AAAA record", n.FQDN+". AAAA "+n.Addr.String(), rtype, bad))
	}
	astray := func(a answer) bool {
		return slices.ContainsFunc(a.addrs, func(got netip.Addr) bool { return got != n.Addr })
	}
	if bad := pick(astray); len(bad) > 0 {
		found = append(found, n.find(AAAAWrong, n.FQDN+" has an AAAA record of another address", n.FQDN+". AAAA "+n.Addr.String()+" alone", rtype, bad))
	}
	return found, nil
}

func (n Name) find(code probes.Code, summary, want string, rtype uint16, answers []answer) probes.Finding {
	f := probes.Finding{Code: code, Subject: n.FQDN, Summary: summary}
	for _, a := range answers {
		word := dns.TypeToString[rtype]
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: "resolver " + a.server.String(), Want: want, Got: a.String(n.FQDN, word),
			Command: fmt.Sprintf("dig @%s %s %s", a.server, n.FQDN, word),
		})
	}
	return f
}
