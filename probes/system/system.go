// Package system holds the probes of what every host of a site stands on: its
// name and what its names resolve to, kernel parameters, the public address,
// room on its disks, its services, its backups, and secrets left lying about.
//
//	p := system.Service{Name: "keycloak", Boot: true, Patience: 2 * time.Minute}
//	found, err := p.Observe(ctx, h)
package system

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// How often files are read when no event tells of a change, and what is asked
// of the kernel or the service manager.
const (
	slow    = 30 * time.Second
	fast    = 5 * time.Second
	timeout = 3 * time.Second
)

// A Name is one public name of the site and the address it must lead to.
type Name struct {
	FQDN string
	Addr netip.Addr
	// Own marks a name of this host, which it must be able to resolve alone.
	Own bool
}

// answers asks the C library, as every program that is not static does, what
// name resolves to. Go's own resolver does not see nss-myhostname, which is
// what answers wrongly.
func answers(ctx context.Context, h *host.Host, name string) ([]netip.Addr, error) {
	out, err := h.Exec.Run(ctx, "getent", "ahosts", name)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	seen := map[netip.Addr]bool{}
	for line := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		addr, err := netip.ParseAddr(first)
		if err == nil && !seen[addr] {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// said puts what getent answered into words for evidence.
func said(addrs []netip.Addr, err error) string {
	switch {
	case err != nil:
		return "no answer"
	case len(addrs) == 0:
		return "no address"
	}
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return probes.Clip(strings.Join(words, ", "))
}
