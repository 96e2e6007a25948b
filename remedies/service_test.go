package remedies_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func TestService(t *testing.T) {
	unit := func(s host.UnitState, enabled bool) host.Unit {
		return host.Unit{Name: "nginx.service", State: s, Enabled: enabled}
	}
	tests := map[string]struct {
		unit  host.Unit
		want  []string
		waits []string
	}{
		"runs":                     {unit(host.Running, true), nil, nil},
		"stopped":                  {unit(host.Stopped, true), []string{"start nginx.service"}, nil},
		"failed":                   {unit(host.Failed, true), []string{"reset-failed nginx.service", "start nginx.service"}, nil},
		"masked":                   {unit(host.Masked, false), []string{"unmask nginx.service", "enable nginx.service", "start nginx.service"}, nil},
		"stopped and disabled":     {unit(host.Stopped, false), []string{"enable nginx.service", "start nginx.service"}, nil},
		"runs, not from boot on":   {unit(host.Running, false), []string{"unmask nginx.service", "enable nginx.service"}, nil},
		"on its way":               {unit(host.Starting, true), nil, nil},
		"not there, as on no host": {unit(host.Absent, false), []string{"enable nginx.service", "start nginx.service"}, []string{"unit nginx.service"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(t, remedies.Service{Name: "nginx"}, remedytest.New(hosttest.Service(tt.unit)))
			same(t, "lines", tt.want, p.Lines())
			same(t, "waits", tt.waits, p.Waits)
		})
	}
}

// TestServiceMaskedOverItsFile: where a link to /dev/null took the place of the
// unit's own file, that is put back first; a file that is otherwise than it should
// be is left to who looks after it.
func TestServiceMaskedOverItsFile(t *testing.T) {
	const file = "/etc/systemd/system/nginx.service"
	text := remedies.File([]byte("[Service]\n"), "root", "root", 0o644)
	r := remedies.Service{Name: "nginx", UnitFile: func(h *host.Host) ([]remedies.Edit, error) { return remedies.Converge(h, file, text) }}
	tests := map[string]struct {
		state host.UnitState
		node  *host.Node
		want  []string
	}{
		"masked":              {host.Masked, remedies.Link("/dev/null"), []string{"change " + file, "unmask nginx.service", "enable nginx.service", "start nginx.service"}},
		"masked, and runs on": {host.Running, remedies.Link("/dev/null"), []string{"change " + file, "unmask nginx.service", "enable nginx.service"}},
		"masked elsewhere":    {host.Masked, nil, []string{"unmask nginx.service", "enable nginx.service", "start nginx.service"}},
		"changed by somebody": {host.Running, remedies.File([]byte("[Unit]\n"), "root", "root", 0o644), []string{"unmask nginx.service", "enable nginx.service"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.Service(host.Unit{Name: "nginx.service", State: tt.state}), hosttest.Node(file, tt.node))
			same(t, "lines", tt.want, plan(t, r, m).Lines())
			mend(t, r, m)
			if tt.want[0] == "change "+file {
				same(t, "unit", text, m.Get(file))
			}
			again(t, r, m)
		})
	}
}

// TestServiceUnits: services have the units of the distribution.
func TestServiceUnits(t *testing.T) {
	m := remedytest.New(hosttest.Unit("postgresql@15-main.service", host.Stopped), hosttest.Unit("certbot.timer", host.Stopped))
	for service, want := range map[string]string{"postgresql": "start postgresql@15-main.service", "certbot-timer": "start certbot.timer"} {
		same(t, service, []string{want}, plan(t, remedies.Service{Name: service}, m).Lines())
	}
}

func TestServiceReady(t *testing.T) {
	m := remedytest.New(hosttest.Unit("keycloak.service", host.Stopped))
	asked := 0
	r := remedies.Service{Name: "keycloak", Ready: func(context.Context, *host.Host) error {
		if asked++; asked < 3 {
			return errNo
		}
		return nil
	}}
	mend(t, r, m)
	if asked != 3 {
		t.Errorf("asked %d times whether it is ready, want 3", asked)
	}
	again(t, r, m)
}

// stubborn are hands to which a service does not stop, and may not be killed.
type stubborn struct {
	*remedytest.Machine
	stop, kill error
}

func (h stubborn) Service(ctx context.Context, unit string, v remedies.Verb) error {
	if err := h.Machine.Service(ctx, unit, v); err != nil {
		return err
	}
	switch v {
	case remedies.Stop:
		if errors.Is(h.stop, context.DeadlineExceeded) {
			<-ctx.Done()
			return ctx.Err()
		}
		return h.stop
	case remedies.Kill:
		return h.kill
	}
	return nil
}

func TestServiceRestart(t *testing.T) {
	tests := map[string]struct {
		stop, kill error
		want       []string
	}{
		"stops":                    {nil, nil, []string{"stop", "start"}},
		"does not stop":            {errNo, nil, []string{"stop", "kill", "reset-failed", "start"}},
		"does not stop in time":    {context.DeadlineExceeded, nil, []string{"stop", "kill", "reset-failed", "start"}},
		"can't be killed, no more": {errNo, errNo, []string{"stop", "kill"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.Unit("keycloak.service", host.Running))
			r := remedies.ServiceRestart{Name: "keycloak", Grace: 20 * time.Millisecond}
			err := plan(t, r, m).Apply(t.Context(), stubborn{m, tt.stop, tt.kill}, m.Host(), nil)
			if !errors.Is(err, tt.kill) {
				t.Errorf("applied with error %v, want %v", err, tt.kill)
			}
			same(t, "done", strings.Join(tt.want, "\n"), strings.ReplaceAll(strings.TrimSpace(m.Called()), " keycloak.service", ""))
		})
	}
}

// TestServiceRestartOfAFrozenProcess: it can't hear that it is to stop.
func TestServiceRestartOfAFrozenProcess(t *testing.T) {
	for state, want := range map[string]string{"T": "kill\nreset-failed\nstart", "S": "stop\nstart", "": "stop\nstart"} {
		m := remedytest.New(hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running, PID: 7}))
		if state != "" {
			m.Change(hosttest.File("/proc/7/stat", "7 (java (T)) "+state+" 1 7 7 0"))
		}
		r := remedies.ServiceRestart{Name: "keycloak", Grace: time.Second}
		if err := plan(t, r, m).Apply(t.Context(), m, m.Host(), nil); err != nil {
			t.Errorf("%q: %v", state, err)
		}
		same(t, "done", want, strings.ReplaceAll(strings.TrimSpace(m.Called()), " keycloak.service", ""))
	}
}

func TestPostgresReady(t *testing.T) {
	m := remedytest.New()
	if err := remedies.PostgresReady(t.Context(), m.Host()); err == nil {
		t.Error("postgresql is ready, and it is not there")
	}
	m.Change(hosttest.Rows("SELECT 1", []string{"1"}))
	if err := remedies.PostgresReady(t.Context(), m.Host()); err != nil {
		t.Error(err)
	}
}

// TestServiceThatRunsAndIsNotReady: a run that was killed has started it and not
// seen it ready; what comes next in an installation needs it so.
func TestServiceThatRunsAndIsNotReady(t *testing.T) {
	m := remedytest.New(hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running, Enabled: true}))
	asked := 0
	r := remedies.Service{Name: "keycloak", Ready: func(context.Context, *host.Host) error {
		if asked++; asked < 4 {
			return errors.New("starting")
		}
		return nil
	}}
	p := plan(t, r, m)
	same(t, "lines", []string{"wait until keycloak is ready"}, p.Lines())
	if err := p.Apply(t.Context(), m, m.Host(), nil); err != nil || asked < 4 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if p := plan(t, r, m); !p.Empty() {
		t.Errorf("a service that is ready: %q", p.Lines())
	}
}
