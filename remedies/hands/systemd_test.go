package hands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

func TestServiceVerbs(t *testing.T) {
	tests := []struct {
		verb remedies.Verb
		want []string
	}{
		{remedies.Start, []string{"start x.service replace"}},
		{remedies.Stop, []string{"stop x.service replace"}},
		{remedies.Restart, []string{"restart x.service replace"}},
		{remedies.Reload, []string{"reload x.service replace"}},
		{remedies.Enable, []string{"enable [x.service] false false", "reread"}},
		{remedies.Disable, []string{"disable [x.service] false", "reread"}},
		{remedies.Unmask, []string{"unmask [x.service] false", "unmask [x.service] true", "reread"}},
		{remedies.ResetFailed, []string{"reset-failed x.service"}},
		{remedies.Kill, []string{"kill x.service all 9"}},
		{remedies.Reread, []string{"reread"}},
	}
	m, w := fakeSystemd(t)
	for _, tt := range tests {
		t.Run(string(tt.verb), func(t *testing.T) {
			unit := "x.service"
			if tt.verb == remedies.Reread {
				unit = ""
			}
			if err := w.Service(t.Context(), unit, tt.verb); err != nil {
				t.Fatal(err)
			}
			if got := m.heard(); !slices.Equal(got, tt.want) {
				t.Errorf("asked for %q; want %q", got, tt.want)
			}
		})
	}
	if len(tests) != len(patience) {
		t.Errorf("%d verbs tried of %d", len(tests), len(patience))
	}
}

func TestServiceErrors(t *testing.T) {
	masked := dbus.NewError("org.freedesktop.systemd1.UnitMasked", []any{"Unit x.service is masked."})
	tests := map[string]struct {
		set  func(*manager)
		verb remedies.Verb
		want string
	}{
		"job failed": {func(m *manager) { m.result = "failed" }, remedies.Start,
			`start x.service: the job ended as "failed" (the unit is failed, exit-code); see: systemctl status x.service, journalctl -u x.service`},
		"refused": {func(m *manager) { m.fail = masked }, remedies.Start,
			"start x.service: Unit x.service is masked. (the unit is failed, exit-code); see: systemctl status x.service, journalctl -u x.service"},
		"not to be enabled": {func(m *manager) { m.noInst = true }, remedies.Enable, "has no [Install] section"},
		"unknown verb":      {func(*manager) {}, "explode", "not something that is done to a service"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, w := fakeSystemd(t)
			m.set(tt.set)
			err := w.Service(t.Context(), "x.service", tt.verb)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Service = %v; want %s", err, tt.want)
			}
		})
	}
	t.Run("reread of a unit", func(t *testing.T) {
		if err := New(hosttest.New(), Options{}).Service(t.Context(), "x.service", remedies.Reread); err == nil {
			t.Error("it was done")
		}
	})
}

// A job that never ends is given up, and so is a manager that does not answer.
func TestServiceDeadline(t *testing.T) {
	m, w := fakeSystemd(t)
	m.set(func(m *manager) { m.result = "" })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := w.Service(ctx, "x.service", remedies.Start)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the unit is failed") {
		t.Errorf("Service = %v; want the deadline and the unit's state", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	ctx, cancel = context.WithCancel(t.Context())
	w.services = systemd{dial: func(ctx context.Context) (*sd.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := w.Service(ctx, "", remedies.Reread); !errors.Is(err, context.Canceled) {
		t.Errorf("Service = %v; want context.Canceled", err)
	}
}

// The verb's own time counts although the caller has more.
func TestServicePatience(t *testing.T) {
	w := New(hosttest.New(), Options{})
	for verb, limit := range patience {
		unit := "x.service"
		if verb == remedies.Reread {
			unit = ""
		}
		w.services = spy(func(ctx context.Context) error {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left > limit || left < limit-time.Second {
				t.Errorf("%s may take %s; want %s", verb, left, limit)
			}
			return nil
		})
		if err := w.Service(t.Context(), unit, verb); err != nil {
			t.Error(err)
		}
	}
}

type spy func(context.Context) error

func (s spy) do(ctx context.Context, _ string, _ remedies.Verb) error { return s(ctx) }

func TestServiceWithoutManager(t *testing.T) {
	for _, init := range []host.InitSystem{"", "openrc"} {
		h := hosttest.New(hosttest.Facts(func(f *host.Facts) { f.Init = init }))
		err := New(h, Options{}).Service(t.Context(), "x.service", remedies.Start)
		if err == nil || !strings.Contains(err.Error(), "start x.service: no ") {
			t.Errorf("Service with %q = %v", init, err)
		}
	}
}
