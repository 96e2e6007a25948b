package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"watchdog/probes/host"
)

// Secrets generates the program's own secrets that do not exist yet, and closes
// those that others could read. One that exists is never replaced: others hold
// copies of it.
type Secrets struct{ Names []string }

// Spec implements [Remedy].
func (r Secrets) Spec() Spec {
	return Spec{ID: "secrets", Summary: "generate the passwords that nobody types", Timeout: time.Minute, NeedsSecret: true}
}

// Plan implements [Remedy].
func (r Secrets) Plan(_ context.Context, h *host.Host) (Plan, error) {
	var p Plan
	for _, name := range r.Names {
		n, err := h.FS.Node(host.SecretDir + "/" + name)
		if err != nil {
			return Plan{}, err
		}
		if n == nil {
			p.Steps = append(p.Steps, GenerateSecret{Name: name})
		}
	}
	names, err := h.FS.ReadDir(host.SecretDir)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return Plan{}, fmt.Errorf("list the secrets: %w", err)
	}
	if p.Edits, err = Converge(h, host.SecretDir, Directory("root", "root", 0o700)); err != nil {
		return Plan{}, err
	}
	for _, name := range names {
		path := host.SecretDir + "/" + name
		n, err := h.FS.Node(path)
		if err != nil {
			return Plan{}, err
		}
		if n == nil || !n.Mode.IsRegular() {
			continue
		}
		closed, err := Converge(h, path, File(n.Data, "root", "root", 0o600), host.NewSecret(string(n.Data)))
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, closed...)
	}
	return p, nil
}

// secretsOf reads secrets by name. Those that do not exist yet are returned
// as what a plan has to wait for.
func secretsOf(h *host.Host, names ...string) (secrets []host.Secret, waits []string, err error) {
	for _, name := range names {
		s, err := h.Secret(name)
		if err != nil {
			return nil, nil, err
		}
		if s.Missing() {
			waits = append(waits, "secret "+name)
		}
		secrets = append(secrets, s)
	}
	return secrets, waits, nil
}
