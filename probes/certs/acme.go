package certs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"watchdog/probes"
	"watchdog/probes/firewall"
	"watchdog/probes/host"
)

// Port80Blocked says that the authority's challenge would not be answered.
const Port80Blocked probes.Code = "acme.port-80-blocked"

// challenge is below the path that the authority asks for (RFC 8555 8.3); no
// order has a token of that name.
const challenge = "/.well-known/acme-challenge/watchdog-probe"

// Port80 is the probe acme.port-80. Renewals fail in silence for weeks when
// nobody answers the authority on port 80: this asks as the authority does, and
// looks whether the packet filter would have let it in, since a connection to
// one's own address passes every filter.
type Port80 struct {
	Public netip.Addr
	Name   string
}

// Spec implements [probes.Probe].
func (p Port80) Spec() probes.Spec {
	return probes.Spec{
		ID:      "acme.port-80",
		Summary: "whether an ACME challenge to port 80 would reach the webroot",
		Codes:   []probes.Code{Port80Blocked},
		Every:   time.Minute,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFirewall}, {Kind: probes.WakeUnit, Name: "nginx"}},
	}
}

// Observe implements [probes.Probe].
func (p Port80) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	address := netip.AddrPortFrom(p.Public, 80).String()
	f := probes.Finding{Code: Port80Blocked, Summary: "an ACME challenge to port 80 would not reach the webroot: the certificate can't renew"}
	got, err := p.ask(ctx, h, address)
	if err != nil {
		return nil, fmt.Errorf("ask for a challenge on %s: %w", address, err)
	}
	if got != "" {
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: "http://" + address + challenge, Want: "404 from nginx's location of the webroot", Got: got,
			Command: "curl -6 -i --resolve " + p.Name + ":80:[" + p.Public.String() + "] http://" + p.Name + challenge,
		})
	}
	rules, unseen := firewall.List(ctx, h)
	if unseen == nil {
		ok, by, err := firewall.Admits(rules, p.Public, 80)
		unseen = err
		if err == nil && !ok {
			f.Evidence = append(f.Evidence, probes.Evidence{Source: by, Want: "new connections to port 80 accepted", Got: "dropped", Command: "nft -a list ruleset"})
		}
	}
	if len(f.Evidence) > 0 {
		return []probes.Finding{f}, nil
	}
	return nil, unseen
}

// ask returns what is wrong with the answer, or an error when there is none to
// judge by: a server that hangs is another probe's to tell of.
func (p Port80) ask(ctx context.Context, h *host.Host, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Name+challenge, nil)
	if err != nil {
		return "", err
	}
	resp, err := h.HTTPClient(address, "", host.Fresh).Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", nil
	case err != nil:
		return "", err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	// A file that is not there is what the webroot answers; whoever else has
	// the port, and NGINX's own redirect, answer otherwise.
	server := resp.Header.Get("Server")
	if resp.StatusCode == http.StatusNotFound && (server == "" || strings.HasPrefix(server, "nginx")) {
		return "", nil
	}
	got := resp.Status
	if to := resp.Header.Get("Location"); to != "" {
		got += " to " + to
	}
	if server != "" {
		got += ", from " + server
	}
	return probes.Clip(got), nil
}
