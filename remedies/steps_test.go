package remedies_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// stepsOnly is a remedy of steps.
type stepsOnly []remedies.Step

func (stepsOnly) Spec() remedies.Spec {
	return remedies.Spec{ID: "test.steps", Summary: "do the steps", Timeout: time.Minute}
}

func (r stepsOnly) Plan(ctx context.Context, h *host.Host) (remedies.Plan, error) {
	var p remedies.Plan
	for _, s := range r {
		done, err := s.Done(ctx, h)
		if err != nil {
			return p, err
		}
		if !done {
			p.Steps = append(p.Steps, s)
		}
	}
	return p, nil
}

func TestStepsConform(t *testing.T) {
	m := remedytest.New(hosttest.Dir("/var/lib"), hosttest.Dir("/opt"))
	m.Archive("kc.tar.gz", hosttest.File("bin/kc.sh", "#!"))
	remedytest.Suite(t, stepsOnly{
		remedies.Packages{Names: []string{"nginx-light", "certbot"}},
		remedies.GenerateSecret{Name: "keycloak-db"},
		remedies.GenerateSecret{Name: "keycloak-admin"},
		remedies.Unpack{Archive: remedies.Archive{Name: "kc.tar.gz"}, Dir: "/opt/kc"},
		remedies.CreateUser{Name: "keycloak", Home: "/opt/keycloak"},
	}, m)
}

func TestInstalled(t *testing.T) {
	const status = `Package: nginx-light
Status: install ok installed
Description: a
 Status: no field
Package-Type: deb

Package: held
Status: hold ok installed

Package: removed
Status: deinstall ok config-files

Package: half
Status: install ok half-configured

Package: broken
Status: install reinstreq installed
`
	have, err := remedies.Installed(hosttest.New(hosttest.File("/var/lib/dpkg/status", status)))
	if want := map[string]bool{"nginx-light": true, "held": true}; err != nil || fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("Installed = %v, %v; want %v", have, err, want)
	}
	if have, err := remedies.Installed(hosttest.New()); err != nil || len(have) != 0 {
		t.Errorf("Installed of a bare host = %v, %v", have, err)
	}
	if _, err := remedies.Installed(hosttest.New(hosttest.Unreadable("/var/lib/dpkg/status", errRefused))); !errors.Is(err, errRefused) {
		t.Errorf("Installed = %v; want that it can't be read", err)
	}
	other := hosttest.New(hosttest.Facts(func(f *host.Facts) { f.Packages = "pacman" }))
	if _, err := remedies.Installed(other); err == nil || !strings.Contains(err.Error(), "pacman") {
		t.Errorf("Installed = %v; want that there is no driver", err)
	}
}

// Lists that are out of date matter only when the installation fails, and a
// package manager in other hands ends all.
func TestPackagesLists(t *testing.T) {
	stale, missing, busy := errors.New("no network"), errors.New("not found"), fmt.Errorf("apt: %w", remedies.ErrBusy)
	tests := map[string]struct {
		update, install error
		want            []error
		calls           int
	}{
		"all well":           {nil, nil, nil, 3},
		"lists out of date":  {stale, nil, nil, 3},
		"both":               {stale, missing, []error{missing, stale}, 3},
		"package is missing": {nil, missing, []error{missing}, 3},
		"busy":               {busy, nil, []error{remedies.ErrBusy}, 2},
		"busy since":         {nil, busy, []error{remedies.ErrBusy}, 3},
	}
	for name, tt := range tests {
		m := remedytest.New()
		m.Handle("packages-update", func(remedies.Command) ([]byte, error) { return nil, tt.update })
		m.Handle("packages-install", func(remedies.Command) ([]byte, error) { return nil, tt.install })
		err := remedies.Packages{Names: []string{"nginx-light"}}.Do(t.Context(), m, m.Host())
		for _, want := range tt.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v; want %v", name, err, want)
			}
		}
		if (err == nil) != (tt.want == nil) || len(m.Calls()) != tt.calls {
			t.Errorf("%s: %v after %d calls; want %d", name, err, len(m.Calls()), tt.calls)
		}
	}
}

func TestGenerateSecret(t *testing.T) {
	m := remedytest.New(hosttest.Dir("/var/lib"))
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		s := remedies.GenerateSecret{Name: name}
		if err := s.Do(t.Context(), m, m.Host()); err != nil {
			t.Fatal(err)
		}
		if done, err := s.Done(t.Context(), m.Host()); !done || err != nil {
			t.Errorf("Done = %t, %v", done, err)
		}
		n := m.Get(host.SecretDir + "/" + name)
		random, err := base64.RawURLEncoding.DecodeString(string(n.Data))
		if err != nil || len(random) != 32 || n.Mode != 0o600 || n.Owner != "root" || seen[string(n.Data)] {
			t.Errorf("%s is %d bytes, %v, %v %s", name, len(random), err, n.Mode, n.Owner)
		}
		seen[string(n.Data)] = true
		if err := s.Do(t.Context(), m, m.Host()); !errors.Is(err, remedies.ErrStale) {
			t.Errorf("a second secret of that name = %v; want ErrStale", err)
		}
		if now := m.Get(host.SecretDir + "/" + name); !now.Equal(n) {
			t.Error("the secret was replaced")
		}
	}
	for _, dir := range []string{"/var/lib/watchdog", host.SecretDir} {
		if n := m.Get(dir); n.Mode.Perm() != 0o700 {
			t.Errorf("%s has mode %v", dir, n.Mode)
		}
	}
	m.Set(host.SecretDir+"/open", text("x"))
	if _, err := (remedies.GenerateSecret{Name: "open"}).Done(t.Context(), m.Host()); err == nil {
		t.Error("a secret that others may read counts")
	}
}

func TestStepsDone(t *testing.T) {
	m := remedytest.New(
		hosttest.File("/etc/passwd", "root:x:0:0::/root:/bin/sh\nmykeycloak:x:9:9::/:/bin/sh\nkeycloak:x:8:8::/:/bin/sh"),
		hosttest.File("/etc/group", "root:x:0:\nkeycloak:x:8:\n"),
		hosttest.Dir("/opt/there"), hosttest.File("/opt/file", ""),
	)
	tests := []struct {
		step remedies.Step
		done bool
		err  string
	}{
		{remedies.CreateUser{Name: "keycloak"}, true, ""},
		{remedies.CreateUser{Name: "mykeycloak"}, false, ""}, // it has no group
		{remedies.CreateUser{Name: "keyclo"}, false, ""},
		{remedies.Unpack{Dir: "/opt/there"}, true, ""},
		{remedies.Unpack{Dir: "/opt/nowhere"}, false, ""},
		{remedies.Unpack{Dir: "/opt/file"}, false, "/opt/file is not a directory"},
	}
	for _, tt := range tests {
		done, err := tt.step.Done(t.Context(), m.Host())
		if done != tt.done || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %t, %v; want %t, %s", tt.step, done, err, tt.done, tt.err)
		}
	}
}
