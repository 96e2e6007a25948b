package hands

import (
	"context"
	"fmt"
	"sync"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"watchdog/packaging/lab/need"
	"watchdog/probes/host/hosttest"
)

// A manager answers on a bus as systemd does, and remembers what it was asked.
type manager struct {
	mu     sync.Mutex
	bus    *dbus.Conn
	calls  []string
	result string // of jobs; "" for one that never ends
	fail   *dbus.Error
	noInst bool // units have no [Install] section
}

func (m *manager) call(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, fmt.Sprintf(format, args...))
}

// set changes what the manager does; heard returns what it was asked since the
// last time.
func (m *manager) set(f func(*manager)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func (m *manager) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

func (m *manager) refusal() *dbus.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail
}

func (m *manager) job(verb, unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	m.call("%s %s %s", verb, unit, mode)
	m.mu.Lock()
	defer m.mu.Unlock()
	const path = dbus.ObjectPath("/org/freedesktop/systemd1/job/7")
	if m.fail == nil && m.result != "" {
		// Before the answer, as a quick job's does.
		_ = m.bus.Emit("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.JobRemoved", uint32(7), path, unit, m.result)
	}
	return path, m.fail
}

func (m *manager) StartUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("start", unit, mode)
}
func (m *manager) StopUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("stop", unit, mode)
}
func (m *manager) RestartUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("restart", unit, mode)
}
func (m *manager) ReloadUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("reload", unit, mode)
}

type link3 struct{ Type, Filename, Destination string }

func (m *manager) EnableUnitFiles(files []string, runtime, force bool) (bool, []link3, *dbus.Error) {
	m.call("enable %v %v %v", files, runtime, force)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noInst {
		return false, nil, m.fail
	}
	return true, []link3{{"symlink", "/etc/x", "/lib/x"}}, m.fail
}
func (m *manager) DisableUnitFiles(files []string, runtime bool) ([]link3, *dbus.Error) {
	m.call("disable %v %v", files, runtime)
	return nil, m.refusal()
}
func (m *manager) UnmaskUnitFiles(files []string, runtime bool) ([]link3, *dbus.Error) {
	m.call("unmask %v %v", files, runtime)
	return nil, m.refusal()
}
func (m *manager) ResetFailedUnit(unit string) *dbus.Error {
	m.call("reset-failed %s", unit)
	return m.refusal()
}
func (m *manager) Reload() *dbus.Error {
	m.call("reread")
	return nil
}
func (m *manager) KillUnit(unit, who string, signal int32) *dbus.Error {
	m.call("kill %s %s %d", unit, who, signal)
	return m.refusal()
}

type unitStatus struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	JobID                                          uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

func (m *manager) ListUnitsByNames(names []string) ([]unitStatus, *dbus.Error) {
	return []unitStatus{{Name: names[0], Load: "loaded", Active: "failed", Sub: "failed", Path: "/u", JobPath: "/"}}, nil
}

// properties answers for every unit.
type properties struct{}

func (properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant("exit-code"), nil
}

// fakeSystemd runs a message bus with a manager on it.
func fakeSystemd(t *testing.T) (*manager, *Hands) {
	t.Helper()
	b := need.MessageBus(t)
	m := &manager{result: "done"}
	bus := b.Systemd(t, m)
	if err := bus.ExportSubtree(properties{}, "/org/freedesktop/systemd1/unit", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	m.set(func(m *manager) { m.bus = bus })
	w := New(hosttest.New(), Options{})
	w.services = systemd{dial: func(ctx context.Context) (*sd.Conn, error) {
		return sd.NewConnection(func() (*dbus.Conn, error) { return b.Connect(ctx) })
	}}
	return m, w
}
