package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// NameIsFQDN says that the host's name is a public one: nss-myhostname then
// answers for it with every address of the host, link-local and container
// bridges included.
const NameIsFQDN probes.Code = "host.name-is-fqdn"

// HostName is the probe host.name.
type HostName struct {
	Public []string // all public names of the site
}

// Spec implements [probes.Probe].
func (p HostName) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.name",
		Summary: "the host's own name against the site's public names",
		Codes:   []probes.Code{NameIsFQDN},
		Every:   slow,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: "/etc/hostname"}},
	}
}

// Observe implements [probes.Probe].
func (p HostName) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := h.FS.ReadFile(host.HostnameFile)
	if err != nil {
		return nil, fmt.Errorf("read the host name: %w", err)
	}
	name := strings.TrimSuffix(strings.TrimSpace(string(data)), ".")
	if !slices.ContainsFunc(p.Public, func(n string) bool { return strings.EqualFold(n, name) }) {
		return nil, nil
	}
	addrs, err := answers(ctx, h, name)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return []probes.Finding{{
		Code:    NameIsFQDN,
		Summary: fmt.Sprintf("the host is called %s, which is a public name of the site", name),
		Evidence: []probes.Evidence{
			{Source: host.HostnameFile, Want: "a name that is not public", Got: name, Command: "hostname"},
			{Source: "getent ahosts " + name, Want: "the public address alone", Got: said(addrs, err), Command: "getent ahosts " + name},
		},
	}}, nil
}
