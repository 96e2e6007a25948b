package hands

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"watchdog/packaging/lab/need"
	"watchdog/probes/host/hosttest"
)

// A manager answers on a bus as systemd does, and remembers what it was asked.
type manager struct {
	bus *dbus.Conn

	mu     sync.Mutex
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
	need.Program(t, "/usr/bin/dbus-daemon", "dbus-daemon")
	daemon := exec.Command("/usr/bin/dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+t.TempDir()+"/bus")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	connect := func(ctx context.Context) (*dbus.Conn, error) {
		return dbus.Connect(strings.TrimSpace(address), dbus.WithContext(ctx))
	}
	bus, err := connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	m := &manager{bus: bus, result: "done"}
	if err := bus.Export(m, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"); err != nil {
		t.Fatal(err)
	}
	if err := bus.ExportSubtree(properties{}, "/org/freedesktop/systemd1/unit", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName("org.freedesktop.systemd1", 0); err != nil {
		t.Fatal(err)
	}
	w := New(hosttest.New(), Options{})
	w.services = systemd{dial: func(ctx context.Context) (*sd.Conn, error) {
		return sd.NewConnection(func() (*dbus.Conn, error) { return connect(ctx) })
	}}
	return m, w
}
