package system

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// ClockSkew says that this host's clock is off by more than logins bear.
const ClockSkew probes.Code = "host.clock-skew"

// clockLimit is how far off a clock may be: a one-time password is taken a
// minute early or late, a token lives five, and certificates are dated back by an
// hour.
const clockLimit = time.Minute

// Clock is the probe host.clock. It holds the host's clock against the Date that
// others send: the site's other hosts, and the certificate authority. Keycloak
// itself sends none, NGINX beside it does.
type Clock struct {
	Peers []Peer
	ACME  string // directory URL
}

// A Peer is another host of the site.
type Peer struct {
	FQDN string
	Addr netip.Addr
}

// Spec implements [probes.Probe].
func (p Clock) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.clock",
		Summary: "the clock against those of the site's other hosts and of the certificate authority",
		Codes:   []probes.Code{ClockSkew},
		Every:   5 * time.Minute,
		Timeout: timeout,
		Wakes:   clockWakes(),
	}
}

// A reading is what one other clock said.
type reading struct {
	source clockSource
	ahead  time.Duration // of this host's clock
	err    error
}

// Observe implements [probes.Probe]. One other clock that agrees clears this
// host's, however wrong the rest are. Where no other can be read the service
// manager's word counts that the clock is synchronised.
func (p Clock) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	sources, err := p.sources()
	if err != nil {
		return nil, err
	}
	limit, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	readings := make([]reading, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() { readings[i] = s.read(limit, h) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read := slices.DeleteFunc(slices.Clone(readings), func(r reading) bool { return r.err != nil })
	if len(read) == 0 {
		return nil, unread(ctx, h, readings)
	}
	slices.SortStableFunc(read, func(a, b reading) int { return int(a.ahead.Abs() - b.ahead.Abs()) })
	least := read[0]
	if least.ahead.Abs() <= clockLimit {
		return nil, nil
	}
	if slices.ContainsFunc(read, func(r reading) bool { return r.ahead > 0 != (least.ahead > 0) }) {
		return nil, fmt.Errorf("compare the clock: others disagree: %s, %s", least.words(), read[len(read)-1].words())
	}
	f := probes.Finding{Code: ClockSkew, Summary: "this host's clock is " + off(least.ahead)}
	for _, r := range read[:min(len(read), 4)] {
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: r.source.String(), Want: "this clock within " + clockLimit.String() + " of its Date", Got: off(r.ahead),
			Command: "date -u; curl -skI " + r.source.String() + " | grep -i ^date",
		})
	}
	f.Evidence = append(f.Evidence, timeService(ctx, h))
	return []probes.Finding{f}, nil
}

// unread judges a clock that could be held against no other.
func unread(ctx context.Context, h *host.Host, readings []reading) error {
	if synchronised(ctx, h) {
		return nil
	}
	var why []string
	for _, r := range readings {
		why = append(why, fmt.Sprintf("%s: %v", r.source, r.err))
	}
	return fmt.Errorf("compare the clock: no time service says that it is right, and no other can be read: %s", probes.Clip(strings.Join(why, "; ")))
}

func (r reading) words() string { return fmt.Sprintf("%s from %s", off(r.ahead), r.source) }

// off says how far a clock is off, roughly: a fault reads the same while it lasts.
func off(ahead time.Duration) string {
	word, d := "ahead", ahead
	if d < 0 {
		word, d = "behind", -d
	}
	unit := 10 * time.Second
	if d > time.Hour {
		unit = time.Minute
	}
	return d.Round(unit).String() + " " + word
}
