package remedytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/hands"
)

// Write implements [remedies.Files] as the real hands do.
func (m *Machine) Write(ctx context.Context, name string, old, new *host.Node) error {
	return m.do(ctx, Call{What: "write " + name, File: name}, func() error { return m.write(name, old, new) })
}

func (m *Machine) write(name string, old, new *host.Node) error {
	now := m.Get(name)
	same := (*host.Node).Equal
	if strings.HasPrefix(name, "/proc/sys/") {
		if now == nil || old == nil || new == nil {
			return fmt.Errorf("write %s: kernel parameters can't be made or removed", name)
		}
		same = func(n, o *host.Node) bool { return bytes.Equal(bytes.TrimSpace(n.Data), bytes.TrimSpace(o.Data)) }
	}
	switch {
	case same(now, new):
		return nil
	case !same(now, old):
		return fmt.Errorf("write %s: it %w", name, remedies.ErrStale)
	}
	if new == nil {
		for other := range m.Nodes() {
			if path.Dir(other) == name {
				return fmt.Errorf("write %s: directory not empty", name)
			}
		}
	} else if dir := m.Get(path.Dir(name)); dir == nil || !dir.Mode.IsDir() {
		return fmt.Errorf("write %s: directory %s: %w", name, path.Dir(name), fs.ErrNotExist)
	}
	m.Set(name, new)
	return nil
}

// Run implements [remedies.Commands]. What the real hands would refuse is
// refused.
func (m *Machine) Run(ctx context.Context, c remedies.Command) (out []byte, err error) {
	call := Call{What: strings.Join(append([]string{"run", c.Name}, c.Args...), " ")}
	call.Said = call.What
	err = m.do(ctx, call, func() error {
		err := hands.Check(c)
		if f := m.handlers[c.Name]; f != nil && err == nil {
			out, err = f(c)
		}
		return err
	})
	return out, err
}

// Exec implements [remedies.SQL].
func (m *Machine) Exec(ctx context.Context, database, statement string, args ...any) error {
	call := Call{What: "execute in " + database + ": " + statement, Said: fmt.Sprint(statement, args)}
	return m.do(ctx, call, func() error {
		if m.sql == nil {
			return nil
		}
		return m.sql(database, statement, args...)
	})
}

// Admin implements [remedies.Keycloak]. Bodies hold secrets by right.
func (m *Machine) Admin(ctx context.Context, _ host.Admin, method, path string, body, reply any) (at string, err error) {
	call := Call{What: method + " " + path, Said: path}
	err = m.do(ctx, call, func() error {
		if _, err := json.Marshal(body); err != nil {
			return err
		}
		if m.admin != nil {
			at, err = m.admin(method, path, body, reply)
		}
		return err
	})
	return at, err
}

// Unpack implements [remedies.Archives].
func (m *Machine) Unpack(ctx context.Context, a remedies.Archive, dir string) error {
	return m.do(ctx, Call{What: "unpack " + a.Name + " into " + dir, Said: a.URL}, func() error {
		if m.Get(dir) != nil {
			return fmt.Errorf("unpack %s: %s is there already", a.Name, dir)
		}
		m.Set(dir, remedies.Directory("root", "root", 0o755))
		inner := hosttest.NewMachine(m.archives[a.Name]...)
		for name, n := range inner.Nodes() {
			// The names of an archive are relative; a made-up machine's own are not.
			if !strings.HasPrefix(name, "/") && name != "." {
				m.Set(path.Join(dir, name), n)
			}
		}
		return nil
	})
}
