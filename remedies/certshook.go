package remedies

import (
	"context"
	"fmt"
	"strings"
	"time"

	"watchdog/probes/host"
)

// hookDir holds what certbot runs after a renewal.
const hookDir = letsencrypt + "/renewal-hooks/deploy"

// RenewalHookPath is the deploy hook that copies a renewed certificate.
const RenewalHookPath = hookDir + "/20-watchdog-keycloak.sh"

// guideHook is the hook of the guide, which restarts Keycloak at each renewal.
const guideHook = hookDir + "/20-keycloak-copy-restart.sh"

// RenewalHook writes certbot's deploy hook: a renewed certificate reaches
// Keycloak although no daemon may be running. It is one way of several; the
// other is remedy certs.copy.
type RenewalHook struct {
	Name   string // the public name, and the lineage's
	Server KeycloakServer
}

// Spec implements [Remedy].
func (r RenewalHook) Spec() Spec {
	return Spec{ID: "certs.hook", Summary: "write the renewal hook", Timeout: time.Minute}
}

// Plan implements [Remedy].
func (r RenewalHook) Plan(_ context.Context, h *host.Host) (Plan, error) {
	var p Plan
	for _, dir := range []string{letsencrypt, letsencrypt + "/renewal-hooks", hookDir} {
		e, err := directory(h, dir, 0o755)
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, e...)
	}
	e, err := Converge(h, RenewalHookPath, r.Node())
	if err != nil {
		return Plan{}, err
	}
	p.Edits = append(p.Edits, e...)
	old, err := h.FS.Node(guideHook)
	if err != nil {
		return Plan{}, err
	}
	if old != nil && old.Mode.IsRegular() && r.replaces(string(old.Data)) {
		p.Edits = append(p.Edits, Write{Path: guideHook, Old: old})
	}
	return p, nil
}

// replaces reports whether a hook does what ours does, and restarts Keycloak
// besides: seconds of outage for nothing.
func (r RenewalHook) replaces(hook string) bool {
	return strings.Contains(hook, r.Server.certs()+"/privkey.pem") && strings.Contains(hook, "restart keycloak")
}

// Node is the hook as it should be, owner and mode included.
func (r RenewalHook) Node() *host.Node {
	return File([]byte(r.Text()), "root", "root", 0o755)
}

// Text is the hook's text. Certbot runs every hook for every lineage, so it
// looks first whose renewal this is. The new files get their places by a rename
// each, key first; one that can't be copied leaves both old ones. Certbot never
// leaves a pair that does not fit, so there is nothing to check.
func (r RenewalHook) Text() string {
	return fmt.Sprintf(`#!/bin/sh
# Written by watchdog: copies the renewed certificate to Keycloak, which reads
# it again by itself within half a minute. Nothing is restarted.
set -eu
umask 077

lineage=%[1]s
certs=%[2]s
[ "${RENEWED_LINEAGE:-}" = "$lineage" ] || exit 0

install -m 0600 -o %[3]s -g %[3]s "$lineage/privkey.pem" "$certs/.privkey.pem.new"
install -m 0640 -o %[3]s -g %[3]s "$lineage/fullchain.pem" "$certs/.fullchain.pem.new"
mv -f "$certs/.privkey.pem.new" "$certs/privkey.pem"
mv -f "$certs/.fullchain.pem.new" "$certs/fullchain.pem"
`, letsencrypt+"/live/"+r.Name, r.Server.certs(), r.Server.User)
}
