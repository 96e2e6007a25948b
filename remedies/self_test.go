package remedies_test

import (
	"slices"
	"strings"
	"testing"

	"watchdog/packaging/systemd"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func program() hosttest.Option { return hosttest.File("/usr/bin/watchdog", "\x7fELF") }

func TestSelf(t *testing.T) {
	m := remedytest.New(program())
	remedytest.Suite(t, remedies.Self{}, m)
	same(t, "did", []string{
		"group-add watchdog", "user-add watchdog-export /nonexistent", "daemon-reload",
		"enable watchdog-engine.service", "start watchdog-engine.service",
		"enable watchdog-export.service", "start watchdog-export.service",
	}, mend(t, remedies.Self{}, m))
	same(t, "engine", systemd.Unit(systemd.Engine), content(m, "/etc/systemd/system/watchdog-engine.service"))
}

// TestSelfOfAPackage: the units that a package brought are its own.
func TestSelfOfAPackage(t *testing.T) {
	m := remedytest.New(program(),
		hosttest.File("/usr/lib/systemd/system/watchdog-engine.service", "[Service]\n"),
		hosttest.File("/lib/systemd/system/watchdog-export.service", "[Service]\n"),
		hosttest.Service(host.Unit{Name: "watchdog-engine.service", State: host.Running, Enabled: true}),
		hosttest.Service(host.Unit{Name: "watchdog-export.service", State: host.Failed, Enabled: true}),
	)
	same(t, "did", []string{"group-add watchdog", "user-add watchdog-export /nonexistent", "start watchdog-export.service"}, mend(t, remedies.Self{}, m))
	for name := range m.Nodes() {
		if strings.HasPrefix(name, "/etc/systemd/system/watchdog-") {
			t.Errorf("wrote %s", name)
		}
	}
}

// TestSelfChanged: a service runs by its present unit and program, or is
// restarted.
func TestSelfChanged(t *testing.T) {
	const unit = "/etc/systemd/system/watchdog-engine.service"
	m := remedytest.New(program())
	mend(t, remedies.Self{}, m)
	n := m.Get(unit)
	n.Data = append(n.Data, "# drift\n"...)
	m.Set(unit, n)
	same(t, "lines", []string{"change " + unit, "daemon-reload", "restart watchdog-engine.service"}, plan(t, remedies.Self{}, m).Lines())

	m = remedytest.New(program(),
		hosttest.File("/usr/lib/systemd/system/watchdog-engine.service", "[Service]\n"),
		hosttest.File("/usr/lib/systemd/system/watchdog-export.service", "[Service]\n"),
		hosttest.Service(host.Unit{Name: "watchdog-engine.service", State: host.Running, Enabled: true, PID: 7}),
		hosttest.Service(host.Unit{Name: "watchdog-export.service", State: host.Running, Enabled: true, PID: 8}),
		hosttest.Link("/proc/7/exe", "/usr/bin/watchdog (deleted)"), hosttest.Link("/proc/8/exe", "/usr/bin/watchdog"),
	)
	lines := plan(t, remedies.Self{}, m).Lines()
	if !slices.Contains(lines, "restart watchdog-engine.service") || slices.Contains(lines, "restart watchdog-export.service") {
		t.Errorf("lines %q, want the one that runs a replaced program restarted", lines)
	}
}

func TestSelfWaits(t *testing.T) {
	same(t, "waits", []string{"the program at /usr/bin/watchdog"}, plan(t, remedies.Self{}, remedytest.New()).Waits)
}
