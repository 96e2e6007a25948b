package host

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

const unitStarts = 0x0102030405060708 // of the invocation below

var unitSince = time.UnixMicro(1763899200123456)

// unitProps are the properties that every unit has.
func unitProps(load, active, sub, file, result string) map[string]any {
	return map[string]any{
		"LoadState": load, "ActiveState": active, "SubState": sub, "UnitFileState": file, "Result": result,
		"StateChangeTimestamp": uint64(unitSince.UnixMicro()),
		"InvocationID":         []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	}
}

// with adds properties to others.
func with(props, more map[string]any) map[string]any {
	maps.Copy(props, more)
	return props
}

var units = []struct {
	name  string
	props map[string]any
	want  Unit
}{
	{"running", with(unitProps("loaded", "active", "running", "enabled", "success"), map[string]any{"MainPID": uint32(42)}),
		Unit{State: Running, Enabled: true, PID: 42, Detail: "active (running), loaded, enabled"}},
	{"one-shot that stays", unitProps("loaded", "active", "exited", "enabled", "success"),
		Unit{State: Running, Enabled: true, Detail: "active (exited), loaded, enabled"}},
	{"timer that waits", unitProps("loaded", "active", "waiting", "enabled", "success"),
		Unit{State: Running, Enabled: true, Detail: "active (waiting), loaded, enabled"}},
	{"reloading", unitProps("loaded", "reloading", "reload", "disabled", "success"),
		Unit{State: Running, Detail: "reloading (reload), loaded, disabled"}},
	{"cluster enabled by the generator", unitProps("loaded", "active", "running", "enabled-runtime", "success"),
		Unit{State: Running, Enabled: true, Detail: "active (running), loaded, enabled-runtime"}},
	{"starting", unitProps("loaded", "activating", "start", "enabled", "success"),
		Unit{State: Starting, Enabled: true, Detail: "activating (start), loaded, enabled"}},
	{"between two tries", unitProps("loaded", "activating", "auto-restart", "enabled", "exit-code"),
		Unit{State: Starting, Enabled: true, Result: "exit-code", Detail: "activating (auto-restart), loaded, enabled, result exit-code"}},
	{"stopping", unitProps("loaded", "deactivating", "stop-sigterm", "enabled", "success"),
		Unit{State: Stopping, Enabled: true, Detail: "deactivating (stop-sigterm), loaded, enabled"}},
	{"stopped", unitProps("loaded", "inactive", "dead", "disabled", "success"),
		Unit{State: Stopped, Detail: "inactive (dead), loaded, disabled"}},
	{"killed", with(unitProps("loaded", "failed", "failed", "enabled", "signal"), map[string]any{"ExecMainStatus": int32(9)}),
		Unit{State: Failed, Enabled: true, Result: "signal", Detail: "failed (failed), loaded, enabled, result signal, status 9"}},
	{"given up", unitProps("loaded", "failed", "failed", "enabled", "start-limit-hit"),
		Unit{State: Failed, Enabled: true, Result: "start-limit-hit", Detail: "failed (failed), loaded, enabled, result start-limit-hit"}},
	{"given up, as systemd 252 puts it", with(unitProps("loaded", "failed", "failed", "enabled", "exit-code"), map[string]any{
		"ExecMainStatus": int32(1), "Restart": "on-failure", "NRestarts": uint32(5), "StartLimitBurst": uint32(5)}),
		Unit{State: Failed, Enabled: true, Result: "start-limit-hit", Detail: "failed (failed), loaded, enabled, result exit-code, restarted 5 times, status 1"}},
	{"failed before its restarts were used up", with(unitProps("loaded", "failed", "failed", "enabled", "exit-code"), map[string]any{
		"Restart": "on-failure", "NRestarts": uint32(4), "StartLimitBurst": uint32(5)}),
		Unit{State: Failed, Enabled: true, Result: "exit-code", Detail: "failed (failed), loaded, enabled, result exit-code"}},
	{"running after as many restarts", with(unitProps("loaded", "active", "running", "enabled", "success"), map[string]any{
		"Restart": "always", "NRestarts": uint32(5), "StartLimitBurst": uint32(5)}),
		Unit{State: Running, Enabled: true, Detail: "active (running), loaded, enabled"}},
	{"masked", unitProps("masked", "inactive", "dead", "masked", "success"),
		Unit{State: Masked, Detail: "inactive (dead), masked, masked"}},
	{"masked after it failed", unitProps("masked", "failed", "failed", "masked", "signal"),
		Unit{State: Masked, Result: "signal", Detail: "failed (failed), masked, masked, result signal"}},
	{"masked while it runs", unitProps("masked", "active", "running", "masked", "success"),
		Unit{State: Running, Detail: "active (running), masked, masked"}},
	{"broken unit file", unitProps("bad-setting", "inactive", "dead", "enabled", "success"),
		Unit{State: Failed, Enabled: true, Result: "bad-setting", Detail: "inactive (dead), bad-setting, enabled, result bad-setting"}},
	{"no such unit", map[string]any{"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "UnitFileState": ""},
		Unit{State: Absent, Detail: "no such unit"}},
	{"runs without its file", unitProps("not-found", "active", "running", "", "success"),
		Unit{State: Running, Detail: "active (running), not-found"}},
}

func TestParseUnit(t *testing.T) {
	for _, tt := range units {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name = "x.service"
			if tt.want.State != Absent {
				tt.want.Since, tt.want.Starts = unitSince, unitStarts
			}
			if diff := cmp.Diff(tt.want, parseUnit("x.service", tt.props)); diff != "" {
				t.Errorf("unit (-want +got):\n%s", diff)
			}
		})
	}
}

// fakeBus is a connection whose fate a test decides.
type fakeBus struct {
	ask  func(ctx context.Context) (map[string]any, error)
	dead bool
}

func (b *fakeBus) GetAllPropertiesContext(ctx context.Context, _ string) (map[string]any, error) {
	return b.ask(ctx)
}
func (b *fakeBus) Connected() bool { return !b.dead }
func (b *fakeBus) Close()          { b.dead = true }

func running(context.Context) (map[string]any, error) {
	return map[string]any{"ActiveState": "active"}, nil
}

func hanging(ctx context.Context) (map[string]any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// manager returns a systemd that opens the given connections in turn.
func manager(conns ...*fakeBus) (*systemd, *int) {
	opened := 0
	return &systemd{gate: make(chan struct{}, 1), open: func(context.Context) (bus, error) {
		if opened == len(conns) {
			return nil, errors.New("no more connections")
		}
		opened++
		return conns[opened-1], nil
	}}, &opened
}

func TestSystemdKeepsItsConnection(t *testing.T) {
	first := &fakeBus{ask: running}
	s, opened := manager(first, &fakeBus{ask: running})
	for range 3 {
		if u, err := s.Unit(t.Context(), "x.service"); err != nil || u.State != Running {
			t.Fatalf("got %+v, %v", u, err)
		}
	}
	if *opened != 1 {
		t.Errorf("opened %d connections, want 1", *opened)
	}
	first.dead = true
	if _, err := s.Unit(t.Context(), "x.service"); err != nil || *opened != 2 {
		t.Errorf("after a loss: %v, %d connections; want 2", err, *opened)
	}
}

func TestSystemdAsksAgainAfterALoss(t *testing.T) {
	lost := &fakeBus{}
	lost.ask = func(context.Context) (map[string]any, error) { lost.dead = true; return nil, dbus.ErrClosed }
	s, _ := manager(lost, &fakeBus{ask: running})
	if u, err := s.Unit(t.Context(), "x.service"); err != nil || u.State != Running {
		t.Errorf("got %+v, %v; want the second connection's answer", u, err)
	}
	again := &fakeBus{ask: func(context.Context) (map[string]any, error) { return nil, dbus.ErrClosed }}
	s, opened := manager(again, again, again)
	if _, err := s.Unit(t.Context(), "x.service"); !errors.Is(err, dbus.ErrClosed) || *opened != 2 {
		t.Errorf("got %v after %d connections, want the loss after 2", err, *opened)
	}
}

func TestSystemdRefusalIsNotALoss(t *testing.T) {
	s, opened := manager(&fakeBus{ask: func(context.Context) (map[string]any, error) {
		return nil, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"}
	}})
	for range 2 {
		if _, err := s.Unit(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "look at unit x: ") {
			t.Errorf("got %v", err)
		}
	}
	if *opened != 1 {
		t.Errorf("opened %d connections, want 1", *opened)
	}
}

func TestSystemdIsGivenTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &fakeBus{ask: hanging}
		s, _ := manager(stuck, &fakeBus{ask: running})
		start := time.Now()
		if _, err := s.Unit(context.Background(), "x.service"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != busTime {
			t.Errorf("got %v after %s, want the deadline after %s", err, time.Since(start), busTime)
		}
		if !stuck.dead {
			t.Error("the connection that did not answer is kept")
		}
		if u, err := s.Unit(context.Background(), "x.service"); err != nil || u.State != Running {
			t.Errorf("afterwards: %+v, %v", u, err)
		}
	})
}

// One who opens a connection for ever delays nobody beyond their own time.
func TestSystemdOpeningHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &systemd{gate: make(chan struct{}, 1), open: func(ctx context.Context) (bus, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.Unit(context.Background(), "x.service")
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := s.Unit(ctx, "x.service"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %s, want the deadline after 1s", err, time.Since(start))
		}
		<-done
	})
}

func TestNoServiceManager(t *testing.T) {
	if _, err := (noInit{}).Unit(t.Context(), "x.service"); err == nil || !strings.Contains(err.Error(), "look at unit x.service: no service manager") {
		t.Errorf("got %v", err)
	}
}
