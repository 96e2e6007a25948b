package remedies

import (
	"bytes"
	"context"
	"errors"
	"time"

	"watchdog/probes/host"
)

// A PackageSet installs what the host's roles need, in one run of the package
// manager.
type PackageSet struct {
	// Uses are keys of [host.Layout].Packages, in the order to install.
	Uses []string
}

// Spec implements [Remedy].
func (r PackageSet) Spec() Spec {
	return Spec{ID: "packages", Summary: "install the packages that are missing", Risk: Harmless, Timeout: 15 * time.Minute}
}

// Plan implements [Remedy].
func (r PackageSet) Plan(_ context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	have, err := Installed(h)
	if err != nil {
		return Plan{}, err
	}
	var missing []string
	for _, use := range r.Uses {
		for _, name := range h.Facts.Layout.Packages[use] {
			if !have[name] {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		p.Steps = []Step{quietly{Packages{missing}}}
		return p, nil
	}
	// What a run that was killed left behind.
	n, err := h.FS.Node(policyFile)
	if err != nil {
		return Plan{}, err
	}
	if isOurs(n) {
		p.Edits = []Edit{Write{Path: policyFile, Old: n}}
	}
	return p, nil
}

// policyFile is asked by Debian's package scripts before they start a service
// (invoke-rc.d(8), deb-systemd-invoke(1p)). 101 means: not now.
const policyFile = "/usr/sbin/policy-rc.d"

var policy = File([]byte("#!/bin/sh\n"+
	"# By watchdog, while it installs packages: no service starts before it is set up.\n"+
	"# Left behind by a run that was killed, it goes with the next one.\n"+
	"exit 101\n"), "root", "root", 0o755)

func isOurs(n *host.Node) bool { return n != nil && bytes.Equal(n.Data, policy.Data) }

// quietly is the step Packages without the services of new packages starting on
// their own: PostgreSQL and NGINX would be open by their defaults, on IPv4 too,
// before anything here has set them up. A policy of somebody else's stays in
// force instead.
type quietly struct{ Packages }

// Do implements [Step].
func (s quietly) Do(ctx context.Context, w Hands, h *host.Host) error {
	if h.Facts.Packages != host.APT {
		return s.Packages.Do(ctx, w, h)
	}
	before, err := h.FS.Node(policyFile)
	if err != nil {
		return err
	}
	if before != nil && !isOurs(before) {
		return s.Packages.Do(ctx, w, h)
	}
	if before == nil {
		if err := w.Write(ctx, policyFile, nil, policy); err != nil {
			return err
		}
		before = policy
	}
	err = s.Packages.Do(ctx, w, h)
	return errors.Join(err, w.Write(context.WithoutCancel(ctx), policyFile, before, nil))
}
