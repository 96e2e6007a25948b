package nginx

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Service is who may listen on one port, and where.
type Service struct {
	Name     string // "keycloak"
	Port     uint16
	Loopback bool     // only there; otherwise on IPv6, from anywhere
	Programs []string // names of its processes
}

// A Listeners compares the kernel's list of listening sockets with who may
// listen where. What is on no port of ours is not ours to judge, unless it is a
// process of one of our services: Keycloak's of another version opens a second,
// plain port to the world.
//
// A program is only known to those who may see its process; for others the
// address alone is judged.
type Listeners struct{ Services []Service }

// Spec implements [probes.Probe].
func (l Listeners) Spec() probes.Spec {
	return probes.Spec{
		ID:      "listeners",
		Summary: "each port is held by its own service, where it may be",
		Codes:   []probes.Code{ListenerPublic, ListenerIPv4Open, ListenerTaken},
		Every:   5 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "nginx"}, {Kind: probes.WakeUnit, Name: "keycloak"}, {Kind: probes.WakeUnit, Name: "postgresql"}},
	}
}

// Observe implements [probes.Probe].
func (l Listeners) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	sockets, err := h.Net.Listeners(ctx)
	if err != nil {
		return nil, err
	}
	var found []probes.Finding
	for _, s := range sockets {
		f, err := l.judge(ctx, h, s)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		// One finding for each fault of each service, with all the sockets.
		i := slices.IndexFunc(found, func(g probes.Finding) bool { return g.Code == f.Code && g.Subject == f.Subject })
		if i < 0 {
			found = append(found, *f)
		} else if len(found[i].Evidence) < maxEvidence {
			found[i].Evidence = append(found[i].Evidence, f.Evidence...)
		}
	}
	return found, nil
}

// maxEvidence bounds how many sockets of one fault are shown.
const maxEvidence = 8

// judge names what is wrong with one socket, if anything.
func (l Listeners) judge(ctx context.Context, h *host.Host, s host.Listener) (*probes.Finding, error) {
	for _, service := range l.Services {
		if service.Port != s.Addr.Port() {
			continue
		}
		port := strconv.Itoa(int(service.Port))
		if s.Program != "" && !slices.Contains(service.Programs, s.Program) {
			return found(s, ListenerTaken, port, "port "+port+" of "+service.Name+" is taken by "+s.Program, "nobody but "+service.Name), nil
		}
		return service.place(s), nil
	}
	if s.Addr.Addr().IsLoopback() {
		return nil, nil
	}
	for _, service := range l.Services {
		if !slices.Contains(service.Programs, s.Program) {
			continue
		}
		u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit(service.Name))
		if err != nil {
			return nil, err
		}
		if s.PID != 0 && u.PID == s.PID {
			return service.place(s), nil
		}
	}
	return nil, nil
}

// place judges where a service listens.
func (v Service) place(s host.Listener) *probes.Finding {
	addr := s.Addr.Addr()
	switch {
	case addr.IsLoopback():
		return nil
	case v.Loopback:
		return found(s, ListenerPublic, v.Name, v.Name+" listens for the whole network", "the loopback only")
	case addr.Is4() || addr.Is4In6() || addr == netip.IPv6Unspecified() && !s.V6Only:
		return found(s, ListenerIPv4Open, v.Name, v.Name+" listens on IPv4 as well", "IPv6 only")
	}
	return nil
}

func found(s host.Listener, code probes.Code, subject, summary, want string) *probes.Finding {
	who := "process unknown"
	if s.PID != 0 {
		who = fmt.Sprintf("%s (pid %d)", s.Program, s.PID)
	}
	got := s.Addr.String() + " by " + who
	if s.Addr.Addr() == netip.IPv6Unspecified() && !s.V6Only {
		got += ", IPv4 too"
	}
	return &probes.Finding{Code: code, Subject: subject, Summary: summary, Evidence: []probes.Evidence{{
		Source: "listening sockets", Want: want, Got: got, Command: "ss -Hltnp 'sport = :" + strconv.Itoa(int(s.Addr.Port())) + "'",
	}}}
}
