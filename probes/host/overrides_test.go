package host_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const (
	xUnit   = "/etc/systemd/system/x.service"
	xDropIn = xUnit + ".d/"
	xVendor = "/usr/lib/systemd/system/x.service"
)

func TestVariables(t *testing.T) {
	h := hosttest.New(
		hosttest.File(xUnit, "[Service]\nEnvironment=A=unit\nEnvironmentFile=-/etc/none\n"),
		hosttest.File(xVendor, "[Service]\nEnvironment=A=shadowed\n"),
		hosttest.File(xVendor+".d/20.conf", "[Service]\nEnvironment=A=shadowed by a drop-in\n"),
		hosttest.File(xVendor+".d/30.conf", "[Service]\nEnvironment=A=hidden\n"),
		hosttest.File(xVendor+".d/05.conf", "[Service]\nEnvironment=A=vendor\nEnvironmentFile=/etc/default/x\nEnvironmentFile=/etc/*.env\n"),
		hosttest.File(xDropIn+"20.conf", "[Service]\n\nEnvironment=A=20 B=20\n"),
		hosttest.Link(xDropIn+"30.conf", "/dev/null"),
		hosttest.File("/etc/default/x", "# of more than one\nB=file\n"),
	)
	got, err := h.Variables("x.service")
	if err != nil {
		t.Fatal(err)
	}
	want := []host.Variable{
		{Name: "A", Value: "unit", File: xUnit, Line: 2},
		{Name: "A", Value: "vendor", File: xVendor + ".d/05.conf", Line: 2},
		{Name: "A", Value: "20", File: xDropIn + "20.conf", Line: 3},
		{Name: "B", Value: "20", File: xDropIn + "20.conf", Line: 3},
		{Name: "B", Value: "file", File: "/etc/default/x", Line: 2, Shared: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h = hosttest.New(
		hosttest.File(xUnit, "[Service]\nEnvironment=A=1\nEnvironmentFile=/etc/default/x\n"),
		hosttest.File(xDropIn+"a.conf", "[Service]\nEnvironment=\nEnvironmentFile=\nEnvironment=B=1\n"),
		hosttest.File("/etc/default/x", "C=1\n"),
	)
	if got, err = h.Variables("x.service"); err != nil || len(got) != 1 || got[0].Name != "B" {
		t.Errorf("after a drop-in that forgets all: %v, %v", got, err)
	}
	h = hosttest.New(hosttest.File(xUnit, "[Service]\nEnvironmentFile=/etc/default/x\n"), hosttest.Unreadable("/etc/default/x", fs.ErrPermission))
	if _, err := h.Variables("x.service"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestOverrides(t *testing.T) {
	const conf = "/etc/keycloak/keycloak.conf"
	for name, c := range map[string]struct {
		dropIn string
		want   []host.Override
	}{
		"another value": {"Environment=KC_HOSTNAME_ADMIN=https://b", []host.Override{
			{Option: "KC_HOSTNAME_ADMIN", Key: "hostname-admin", Want: "https://a", Set: host.Variable{Name: "KC_HOSTNAME_ADMIN", Value: "https://b", File: xDropIn + "a.conf", Line: 2}},
		}},
		"taken as it stands": {"Environment=KCRAW_HTTP_HOST=::", []host.Override{
			{Option: "KC_HTTP_HOST", Key: "http-host", Want: "::1", Set: host.Variable{Name: "KCRAW_HTTP_HOST", Value: "::", File: xDropIn + "a.conf", Line: 2}},
		}},
		"the same value":         {"Environment=KC_HTTP_HOST=::1", nil},
		"the same in the end":    {"Environment=KC_HTTP_HOST=:: KC_HTTP_HOST=::1", nil},
		"an option of its own":   {"Environment=KC_LOG_LEVEL=debug", nil},
		"not Keycloak's":         {"Environment=HTTP_HOST=:: MKC_HTTP_HOST=::", nil},
		"the usual file by name": {"Environment=KC_CONFIG_FILE=" + conf, nil},
		"another file": {"Environment=KC_CONFIG_FILE=/tmp/x.conf", []host.Override{
			{Option: "KC_CONFIG_FILE", Want: conf, Set: host.Variable{Name: "KC_CONFIG_FILE", Value: "/tmp/x.conf", File: xDropIn + "a.conf", Line: 2}},
		}},
		"in a file of variables": {"EnvironmentFile=/etc/default/x", []host.Override{
			{Option: "KC_HTTP_HOST", Key: "http-host", Want: "::1", Set: host.Variable{Name: "KC_HTTP_HOST", Value: "0.0.0.0", File: "/etc/default/x", Line: 1, Shared: true}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(
				hosttest.File(conf, "hostname-admin=https://a\nhttp-host=::1\n"),
				hosttest.File(xUnit, "[Service]\nEnvironment=KC_HTTP_HOST=1.2.3.4\n"),
				hosttest.File(xDropIn+"a.conf", "[Service]\n"+c.dropIn+"\n"),
				hosttest.File("/etc/default/x", "KC_HTTP_HOST=0.0.0.0\n"),
			)
			got, err := h.Overrides(t.Context(), "x.service", conf)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := hosttest.New().Overrides(t.Context(), "x.service", conf); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}
