package remedies_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

func TestDoSettles(t *testing.T) {
	unit := func(s host.UnitState, detail string) *host.Host {
		return hosttest.New(hosttest.Service(host.Unit{Name: "x.service", State: s, Detail: detail}))
	}
	notReady := errors.New("status 503")
	tests := map[string]struct {
		verb  remedies.Verb
		h     *host.Host
		ready error
		want  string
		after time.Duration
	}{
		"runs":                      {remedies.Start, unit(host.Running, ""), nil, "", 0},
		"failed for good":           {remedies.Restart, unit(host.Failed, "failed (exit-code)"), nil, "x.service is failed: failed (exit-code)", 0},
		"ended well":                {remedies.Start, unit(host.Stopped, "inactive (dead)"), nil, "x.service is stopped: inactive (dead)", 0},
		"starts for ever":           {remedies.Start, unit(host.Starting, "activating (start-pre)"), nil, "x.service is starting: activating (start-pre)", 10 * time.Second},
		"runs and is never ready":   {remedies.Reload, unit(host.Running, ""), notReady, "status 503", 10 * time.Second},
		"stopping has no after":     {remedies.Stop, unit(host.Running, ""), notReady, "", 0},
		"enabling has no after":     {remedies.Enable, unit(host.Failed, ""), notReady, "", 0},
		"manager that can't answer": {remedies.Start, hosttest.New(hosttest.NoInit(errRefused)), nil, errRefused.Error(), 10 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				d := remedies.Do{Verb: tt.verb, Unit: "x.service", Ready: func(context.Context, *host.Host) error { return tt.ready }}
				start := time.Now()
				err := d.Settled(ctx, tt.h)
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Settled = %v; want %q", err, tt.want)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("it took %s; want %s", took, tt.after)
				}
			})
		})
	}
}

// TestDoSettlesOnWhatDies: a server that starts, is not ready and then ends is
// not waited for.
func TestDoSettlesOnWhatDies(t *testing.T) {
	tests := map[string]struct {
		end  host.Unit
		want []string
	}{
		"fails": {host.Unit{State: host.Failed, Result: "exit-code"}, []string{"x.service is failed: result exit-code", errRefused.Error()}},
		"ends":  {host.Unit{State: host.Stopped, Detail: "inactive (dead)"}, []string{"x.service is stopped: inactive (dead)", errRefused.Error()}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				m := hosttest.NewMachine(hosttest.Unit("x.service", host.Running))
				start := time.Now()
				d := remedies.Do{Verb: remedies.Start, Unit: "x.service", Ready: func(context.Context, *host.Host) error {
					if time.Since(start) >= 8*time.Second {
						tt.end.Name = "x.service"
						m.Change(hosttest.Service(tt.end))
					}
					return errRefused
				}}
				err := d.Settled(ctx, m.Host())
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("Settled = %v; want %q", err, want)
					}
				}
				if took := time.Since(start); took != 8*time.Second {
					t.Errorf("it took %s; want 8s", took)
				}
			})
		})
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := 3
		start := time.Now()
		err := remedies.Await(t.Context(), func(context.Context) error {
			if left--; left > 0 {
				return errRefused
			}
			return nil
		})
		if took := time.Since(start); err != nil || left != 0 || took > time.Second {
			t.Errorf("Await = %v after %s", err, took)
		}
		// A look that is cut short does not say what was missing.
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		looks := 0
		err = remedies.Await(short, func(ctx context.Context) error {
			if looks++; looks == 1 {
				return errRefused
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) {
			t.Errorf("Await = %v; want what was missing", err)
		}
		// What is so already is so although time is over.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := remedies.Await(ctx, func(context.Context) error { return nil }); err != nil {
			t.Errorf("Await = %v", err)
		}
		err = remedies.Await(ctx, func(context.Context) error { return errRefused })
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errRefused) {
			t.Errorf("Await = %v; want both what ended it and what was missing", err)
		}
	})
}
