package remedytest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// Service implements [remedies.Services] as systemd does.
func (m *Machine) Service(ctx context.Context, unit string, v remedies.Verb) error {
	what := strings.TrimSpace(string(v) + " " + unit)
	return m.do(ctx, Call{What: what}, func() error {
		if v == remedies.Reread {
			m.reread()
			return nil
		}
		u, ok := m.Units()[unit]
		if !ok || u.State == host.Absent {
			return fmt.Errorf("%s: no such unit", what)
		}
		if err := m.change(&u, v); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

func (m *Machine) change(u *host.Unit, v remedies.Verb) error {
	var err error
	switch v {
	case remedies.Start, remedies.Restart, remedies.Reload:
		err = m.load(u, v)
	case remedies.Stop:
		if u.State == host.Running || u.State == host.Starting {
			u.State, u.PID = host.Stopped, 0
		}
	case remedies.Kill:
		u.State, u.PID, u.Result = host.Failed, 0, "signal"
	case remedies.Enable:
		u.Enabled = true
	case remedies.Disable:
		u.Enabled = false
	case remedies.Unmask:
		if u.State == host.Masked {
			u.State = host.Stopped
		}
	case remedies.ResetFailed:
		if u.State == host.Failed {
			u.State, u.Result = host.Stopped, ""
		}
	default:
		return fmt.Errorf("not something that is done to a service")
	}
	m.Change(hosttest.Service(*u))
	return err
}

// load gives a service the files of now.
func (m *Machine) load(u *host.Unit, v remedies.Verb) error {
	switch {
	case u.State == host.Masked:
		return fmt.Errorf("it is masked")
	case v == remedies.Start && u.State == host.Running:
		return nil // and it keeps its files
	case v == remedies.Reload && u.State != host.Running:
		return fmt.Errorf("it does not run")
	}
	if m.start != nil {
		if err := m.start(u.Name); err != nil {
			if v != remedies.Reload {
				u.State, u.PID, u.Result = host.Failed, 0, "exit-code"
			}
			return err
		}
	}
	if v != remedies.Reload {
		u.State, u.Result, u.PID, u.Since = host.Running, "", 200, m.Now()
		u.Starts++
	}
	files := m.Nodes()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded[u.Name] = files
	return nil
}

// unitDirs is where unit files are.
var unitDirs = []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}

// reread makes units of the unit files that have come. One whose file has gone
// is absent, once it does not run.
func (m *Machine) reread() {
	files := map[string]bool{}
	for name, n := range m.Nodes() {
		for _, dir := range unitDirs {
			unit, ok := strings.CutPrefix(name, dir)
			if ok && n.Mode.IsRegular() && !strings.Contains(unit, "/") && slices.ContainsFunc([]string{".service", ".timer", ".socket", ".path"},
				func(kind string) bool { return strings.HasSuffix(unit, kind) }) {
				files[unit] = true
			}
		}
	}
	units := m.Units()
	for unit := range files {
		if u, ok := units[unit]; !ok || u.State == host.Absent {
			m.Change(hosttest.Service(host.Unit{Name: unit, State: host.Stopped, Detail: hasFile}))
		}
	}
	for unit, u := range units {
		if u.Detail == hasFile && !files[unit] && u.State != host.Running {
			m.Change(hosttest.Service(host.Unit{Name: unit, State: host.Absent}))
		}
	}
}

// hasFile marks the units that have a file on the machine; those that a test
// made up need none.
const hasFile = "made up by its file"
