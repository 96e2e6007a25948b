package remedytest_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// The machine's hands keep the contract that the real ones keep.
func TestMachineWrites(t *testing.T) {
	m := machine()
	ctx := t.Context()
	old, changed := m.Get(conf), remedies.File([]byte("x"), "root", "root", 0o600)
	for _, err := range []error{m.Write(ctx, conf, old, changed), m.Write(ctx, conf, old, changed), m.Write(ctx, conf, changed, nil), m.Write(ctx, conf, changed, nil)} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := m.Write(ctx, conf, old, changed); !errors.Is(err, remedies.ErrStale) {
		t.Errorf("Write = %v; want ErrStale", err)
	}
	if err := m.Write(ctx, "/etc/a/b", nil, changed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write = %v; want that there is no directory", err)
	}
	if err := m.Write(ctx, "/etc", m.Get("/etc"), nil); err == nil {
		t.Error("a full directory was removed")
	}
}

func TestMachineRemembersWhatServicesRunWith(t *testing.T) {
	m := machine()
	old, changed := m.Get(conf), remedies.File([]byte("x"), "root", "root", 0o600)
	do := func(v remedies.Verb, unit string) {
		t.Helper()
		if err := m.Service(t.Context(), unit, v); err != nil {
			t.Error(err)
		}
	}
	m.Set(conf, changed)
	do(remedies.Start, "nginx.service") // runs already: nothing is read
	if got := m.Loaded("nginx.service", conf); !got.Equal(old) {
		t.Errorf("after start it runs with %v", got)
	}
	do(remedies.Reload, "nginx.service")
	if got := m.Loaded("nginx.service", conf); !got.Equal(changed) {
		t.Errorf("after reload it runs with %v", got)
	}
	for _, refused := range []struct {
		verb remedies.Verb
		unit string
	}{{remedies.Start, "nonesuch.service"}, {remedies.Reload, "idle.service"}} {
		if err := m.Service(t.Context(), refused.unit, refused.verb); err == nil {
			t.Errorf("%s %s was done", refused.verb, refused.unit)
		}
	}
	m.HandleStart(func(string) error { return errors.New("bad configuration") })
	if err := m.Service(t.Context(), "nginx.service", remedies.Restart); err == nil || m.Units()["nginx.service"].State != host.Failed {
		t.Errorf("restart with a bad configuration = %v, and it is %s", err, m.Units()["nginx.service"].State)
	}
}

func TestMachineUnpacks(t *testing.T) {
	m := remedytest.New(hosttest.Dir("/opt"))
	m.Archive("kc.tar.gz", hosttest.File("bin/kc.sh", "#!"), hosttest.File("version.txt", "26"))
	a := remedies.Archive{Name: "kc.tar.gz"}
	if err := m.Unpack(t.Context(), a, "/opt/kc"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range m.Nodes() {
		if strings.HasPrefix(name, "/opt/") {
			got = append(got, name)
		}
	}
	if len(got) != 4 || m.Get("/opt/kc/bin/kc.sh") == nil {
		t.Errorf("unpacked: %v", got)
	}
	if err := m.Unpack(t.Context(), a, "/opt/kc"); err == nil {
		t.Error("it was unpacked over itself")
	}
}
