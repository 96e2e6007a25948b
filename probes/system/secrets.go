package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Secrets].
const (
	BootstrapLeft probes.Code = "secrets.bootstrap-left"
	SecretsOpen   probes.Code = "secrets.open"
)

// Secrets is the probe secrets: credentials of the first administrator left
// where Keycloak is started from, and secrets that others can read.
type Secrets struct{}

// Spec implements [probes.Probe].
func (p Secrets) Spec() probes.Spec {
	return probes.Spec{
		ID:      "secrets",
		Summary: "bootstrap credentials left behind, and who can read the generated secrets",
		Codes:   []probes.Code{BootstrapLeft, SecretsOpen},
		Every:   slow,
		Timeout: timeout,
		Wakes: []probes.Wake{
			{Kind: probes.WakeFile, Name: "/etc/systemd/system/keycloak.service"},
			{Kind: probes.WakeFile, Name: "/etc/systemd/system/keycloak.service.d/override.conf"},
			{Kind: probes.WakeFile, Name: "/etc/conf.d/keycloak"},
			{Kind: probes.WakeFile, Name: "/etc/default/keycloak"},
		},
	}
}

// bootstrap is an assignment that makes the first administrator at a start;
// left behind it does nothing any more but show the password.
var bootstrap = regexp.MustCompile(`\b(KC_BOOTSTRAP_[A-Z_]+|KEYCLOAK_ADMIN(?:_PASSWORD)?)=["']?[^"'\s]`)

// Observe implements [probes.Probe].
func (p Secrets) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	units, err := h.UnitFiles(h.Facts.Layout.Unit("keycloak"))
	if err != nil {
		return nil, err
	}
	files := append([]string{"/etc/conf.d/keycloak", "/etc/default/keycloak"}, units...)
	var found []probes.Finding
	for i := 0; i < len(files); i++ { // more are added on the way
		data, err := h.FS.ReadFile(files[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", files[i], err)
		}
		if f := leftIn(files[i], string(data)); f != nil {
			found = append(found, *f)
		}
		for _, name := range host.EnvironmentFiles(string(data)) {
			if !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	open, err := openSecrets(h)
	if err != nil {
		return nil, err
	}
	return append(found, open...), ctx.Err()
}

// leftIn finds bootstrap credentials in a file. The value is never looked at
// beyond its being there.
func leftIn(name, text string) (f *probes.Finding) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		for _, m := range bootstrap.FindAllStringSubmatch(line, -1) {
			if f == nil {
				f = &probes.Finding{Code: BootstrapLeft, Subject: name, Summary: "credentials of Keycloak's first administrator are left in " + name}
			}
			if len(f.Evidence) < 4 {
				f.Evidence = append(f.Evidence, probes.Evidence{
					Source: name + ":" + strconv.Itoa(n), Want: "no such variable", Got: probes.Clip(m[1]) + " is set", Command: "grep -nE 'KC_BOOTSTRAP|KEYCLOAK_ADMIN' " + name,
				})
			}
		}
	}
	return f
}

// openSecrets finds generated secrets that somebody besides root can read.
func openSecrets(h *host.Host) ([]probes.Finding, error) {
	dir, err := h.FS.Node(host.SecretDir)
	if err != nil || dir == nil {
		return nil, err
	}
	names, err := h.FS.ReadDir(host.SecretDir)
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	found := openNode(host.SecretDir, dir, "0700 root")
	for _, n := range names {
		name := host.SecretDir + "/" + n
		node, err := h.FS.Node(name)
		if err != nil {
			return nil, fmt.Errorf("look at secret %s: %w", n, err)
		}
		if node != nil && node.Mode.IsRegular() {
			found = append(found, openNode(name, node, "0600 root")...)
		}
	}
	return found, nil
}

func openNode(name string, n *host.Node, want string) []probes.Finding {
	if n.Mode.Perm()&0o077 == 0 && n.Owner == "root" {
		return nil
	}
	return []probes.Finding{{
		Code: SecretsOpen, Subject: name, Summary: name + " can be read by others than root",
		Evidence: []probes.Evidence{{Source: name, Want: want, Got: fmt.Sprintf("%04o %s", n.Mode.Perm(), n.Owner), Command: "ls -ld " + name}},
	}}
}
