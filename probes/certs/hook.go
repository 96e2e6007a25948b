package certs

import (
	"context"
	"fmt"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Hook].
const (
	HookMissing       probes.Code = "hook.missing"
	HookNotExecutable probes.Code = "hook.not-executable"
	HookDrift         probes.Code = "hook.drift"
)

// Hook is the probe hook.renewal: the script by which a renewed certificate
// reaches Keycloak.
type Hook struct {
	Path string
	Text string // what it has to say
}

// Spec implements [probes.Probe].
func (p Hook) Spec() probes.Spec {
	return probes.Spec{
		ID:      "hook.renewal",
		Summary: "certbot's deploy hook: there, executable, unchanged",
		Codes:   []probes.Code{HookMissing, HookNotExecutable, HookDrift},
		Every:   slow,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: p.Path}},
	}
}

// Observe implements [probes.Probe].
func (p Hook) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, err := h.FS.Node(p.Path)
	if err != nil {
		return nil, fmt.Errorf("read the renewal hook: %w", err)
	}
	if n == nil {
		return p.find(nil, HookMissing, "certbot's renewal hook is not there", p.Path, "a script, 0755", "no such file"), nil
	}
	if !n.Mode.IsRegular() {
		return p.find(nil, HookDrift, "certbot's renewal hook is not a file of its own", p.Path, "a script, 0755", n.Mode.Type().String()), nil
	}
	var found []probes.Finding
	if n.Mode.Perm()&0o100 == 0 {
		found = p.find(found, HookNotExecutable, "certbot skips its renewal hook: it can't be executed", p.Path, "0755", modeOf(n))
	}
	if string(n.Data) != p.Text {
		// What stands there instead may hold anything, a password too.
		line, want := difference(p.Text, string(n.Data))
		found = p.find(found, HookDrift, "certbot's renewal hook was changed", fmt.Sprintf("%s:%d", p.Path, line), want, "another text")
	}
	return found, nil
}

func (p Hook) find(found []probes.Finding, code probes.Code, summary, source, want, got string) []probes.Finding {
	return append(found, probes.Finding{Code: code, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "ls -l " + p.Path + "; cat " + p.Path},
	}})
}

// difference returns the number of the first line that is not the same in both
// texts, and what it should be.
func difference(want, got string) (int, string) {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	if i == len(w) {
		return i + 1, "the end of the file"
	}
	return i + 1, probes.Clip(w[i])
}
