package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"watchdog/probes"
	"watchdog/probes/format/hostsfile"
	"watchdog/probes/host"
)

// The codes of [Hosts].
const (
	HostsWrongAddress probes.Code = "host.hosts-wrong-address"
	HostsMissing      probes.Code = "host.hosts-missing"
)

// hostsPath is the file that the resolver reads first.
const hostsPath = "/etc/hosts"

// Hosts is the probe host.hosts. No line may lead a name of the site
// astray, and a host has a line for its own, so that it finds itself without
// DNS.
type Hosts struct{ Names []Name }

// Spec implements [probes.Probe].
func (p Hosts) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.hosts",
		Summary: "the lines of /etc/hosts for the site's names, and what really answers",
		Codes:   []probes.Code{HostsWrongAddress, HostsMissing},
		Every:   slow,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: hostsPath}},
	}
}

// Observe implements [probes.Probe].
func (p Hosts) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := h.FS.ReadFile(hostsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", hostsPath, err)
	}
	file := hostsfile.Parse(data)
	var found []probes.Finding
	var unsure error
	for _, n := range p.Names {
		f, err := n.judge(ctx, h, file.Lookup(n.FQDN))
		unsure = errors.Join(unsure, err)
		if f != nil {
			found = append(found, *f)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, unsure
}

// judge finds out what is wrong with the lines of one name. With nothing wrong
// in the file, what the C library answers still has to agree with it.
func (n Name) judge(ctx context.Context, h *host.Host, lines []hostsfile.Entry) (*probes.Finding, error) {
	wrong := slices.DeleteFunc(slices.Clone(lines), func(e hostsfile.Entry) bool { return e.Addr == n.Addr })
	if len(wrong) == 0 && !n.Own {
		return nil, nil
	}
	addrs, err := answers(ctx, h, n.FQDN)
	command := "getent ahosts " + n.FQDN
	answer := probes.Evidence{Source: command, Want: n.Addr.String(), Got: said(addrs, err), Command: command}
	switch {
	case len(wrong) > 0:
		f := probes.Finding{
			Code: HostsWrongAddress, Subject: n.FQDN,
			Summary: fmt.Sprintf("%s maps %s to %s instead of %s", hostsPath, n.FQDN, wrong[0].Addr, n.Addr),
		}
		for _, e := range wrong[:min(len(wrong), 3)] {
			f.Evidence = append(f.Evidence, probes.Evidence{
				Source: hostsPath + ":" + strconv.Itoa(e.Line), Want: n.Addr.String(), Got: e.Addr.String(), Command: "grep -n " + n.FQDN + " " + hostsPath,
			})
		}
		f.Evidence = append(f.Evidence, answer)
		return &f, nil
	case len(lines) == 0:
		return &probes.Finding{
			Code: HostsMissing, Subject: n.FQDN,
			Summary: fmt.Sprintf("%s has no line for %s, this host's own name", hostsPath, n.FQDN),
			Evidence: []probes.Evidence{
				{Source: hostsPath, Want: n.Addr.String() + " " + n.FQDN, Got: "no line", Command: "grep -n " + n.FQDN + " " + hostsPath},
				answer,
			},
		}, nil
	case err != nil:
		return nil, fmt.Errorf("ask the C library for %s: %w", n.FQDN, err)
	case len(addrs) != 1 || addrs[0] != n.Addr:
		return nil, fmt.Errorf("%s maps %s to %s, but getent answers %s: something comes before files in /etc/nsswitch.conf", hostsPath, n.FQDN, n.Addr, said(addrs, nil))
	}
	return nil, nil
}
