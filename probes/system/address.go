package system

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Address].
const (
	AddressMissing   probes.Code = "host.address-missing"
	AddressDADFailed probes.Code = "host.address-dad-failed"
)

// Address is the probe host.address.
type Address struct{ Public netip.Addr }

// Spec implements [probes.Probe].
func (p Address) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.address",
		Summary: "the public address on an interface, and that nobody else has it",
		Codes:   []probes.Code{AddressMissing, AddressDADFailed},
		Every:   fast,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeAddress}},
	}
}

// Observe implements [probes.Probe]. An address whose uniqueness is still being
// tested can't be used yet; that takes a second or two, so that the rule waits.
func (p Address) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	all, err := h.Net.Addresses(ctx)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("list addresses: there is none, not even the loopback's")
	}
	i := slices.IndexFunc(all, func(a host.Address) bool { return a.Prefix.Addr() == p.Public })
	if i < 0 {
		return []probes.Finding{{
			Code: AddressMissing, Summary: fmt.Sprintf("no interface has the public address %s", p.Public),
			Evidence: []probes.Evidence{{Source: "interfaces", Want: p.Public.String(), Got: worldly(all), Command: "ip -6 addr show scope global"}},
		}}, nil
	}
	switch a := all[i]; {
	case a.DADFailed:
		return p.refused(ctx, h, a), nil
	case a.Tentative:
		return []probes.Finding{p.unusable(a, "tentative: whether another machine has it is not settled")}, nil
	}
	return nil, nil
}

// refused tells of an address that another machine had when the kernel asked, and
// which machine it is if it has it still. As long as it does, trying again is in
// vain.
func (p Address) refused(ctx context.Context, h *host.Host, a host.Address) []probes.Finding {
	f := p.unusable(a, "dadfailed: another machine answered for it")
	e := probes.Evidence{
		Source: "neighbour discovery on " + a.Interface, Want: "nobody answers for " + p.Public.String(),
		Got: "nobody does any more", Command: "journalctl -k -g 'duplicate address'",
	}
	switch holder, err := h.Link.Holder(ctx, a.Interface, p.Public); {
	case err != nil:
		e.Got = probes.Clip("not known: " + err.Error())
	case holder != nil:
		e.Got = "the machine with hardware address " + holder.String() + " does"
		f.Summary = fmt.Sprintf("%s on %s can't be used: the machine with hardware address %s has it", p.Public, a.Interface, holder)
		f.Awaits = "the machine with hardware address " + holder.String() + " gives it up"
	}
	f.Evidence = append(f.Evidence, e)
	return []probes.Finding{f}
}

func (p Address) unusable(a host.Address, got string) probes.Finding {
	return probes.Finding{
		Code: AddressDADFailed, Summary: fmt.Sprintf("%s on %s can't be used: duplicate address detection did not pass", p.Public, a.Interface),
		Evidence: []probes.Evidence{{Source: "interface " + a.Interface, Want: p.Public.String() + " in use", Got: got, Command: "ip -6 addr show dev " + a.Interface}},
	}
}

// worldly lists the addresses that could be taken for a public one.
func worldly(all []host.Address) string {
	var words []string
	for _, a := range all {
		if ip := a.Prefix.Addr(); ip.Is6() && ip.IsGlobalUnicast() {
			words = append(words, a.Prefix.String()+" on "+a.Interface)
		}
	}
	if len(words) == 0 {
		return "no global IPv6 address"
	}
	return probes.Clip(strings.Join(words, ", "))
}
