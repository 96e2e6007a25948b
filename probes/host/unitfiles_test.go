package host_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

func TestUnitFiles(t *testing.T) {
	h := hosttest.New(
		hosttest.File("/usr/lib/systemd/system/x.service", ""),
		hosttest.File("/usr/lib/systemd/system/x.service.d/b.conf", ""),
		hosttest.File("/etc/systemd/system/x.service", ""),
		hosttest.File("/etc/systemd/system/x.service.d/a.conf", ""),
		hosttest.File("/etc/systemd/system/x.service.d/a.conf.old", ""),
		hosttest.Link("/etc/systemd/system/x.service.d/hidden.conf", "/dev/null"),
		hosttest.Link("/run/systemd/system/x.service", "/dev/null"),
		hosttest.File("/etc/systemd/system/y.service", ""),
	)
	got, err := h.UnitFiles("x.service")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"/etc/systemd/system/x.service", "/etc/systemd/system/x.service.d/a.conf",
		"/usr/lib/systemd/system/x.service", "/usr/lib/systemd/system/x.service.d/b.conf",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := hosttest.New().UnitFiles("x.service"); err != nil || len(got) > 0 {
		t.Errorf("of a unit that is not there: %v, %v", got, err)
	}
	if _, err := hosttest.New(hosttest.Unreadable("/etc/systemd", fs.ErrPermission)).UnitFiles("x.service"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestEnvironmentFiles(t *testing.T) {
	got := host.EnvironmentFiles("[Service]\nEnvironmentFile=/etc/a\n EnvironmentFile=-/etc/b \n#EnvironmentFile=/etc/c\nEnvironmentFile=/etc/%i\nEnvironmentFile=/etc/*.env\nEnvironment=X=/etc/d\n")
	if diff := cmp.Diff([]string{"/etc/a", "/etc/b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
