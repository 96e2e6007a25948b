package remedies_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// What ended with its context is not begun: the service that would have been
// restarted isn't, not even to put it back.
func TestApplyCancelledBeforeAnEffect(t *testing.T) {
	m := stack()
	p := remedies.Plan{
		Edits:   []remedies.Edit{write(m, "/etc/a", "1")},
		Effects: []remedies.Effect{do(remedies.Restart, "up.service")},
	}
	ctx, cancel := m.Strike(t.Context(), remedytest.Fault{Call: 1, Kind: remedytest.CancelAfter})
	defer cancel()
	if err := p.Apply(ctx, m, m.Host(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v; want context.Canceled", err)
	}
	called(t, m, "write /etc/a", "write /etc/a")
	files(t, m, "a", "b")
}

// Without edits there is nothing to put back: what was started stays started.
func TestApplyEffectsAlone(t *testing.T) {
	m := stack()
	p := remedies.Plan{Effects: []remedies.Effect{do(remedies.Start, "down.service"), do(remedies.Start, "nonesuch.service")}}
	if err := p.Apply(t.Context(), m, m.Host(), nil); err == nil {
		t.Error("Apply = nil")
	}
	called(t, m, "start down.service", "start nonesuch.service")
}

// The state of services is not known where their manager does not answer; then
// effects are repeated.
func TestApplyPutsBackBlindly(t *testing.T) {
	m := stack()
	m.Change(hosttest.NoInit(errors.New("no answer")))
	p := remedies.Plan{
		Edits:   []remedies.Edit{write(m, "/etc/a", "1")},
		Effects: []remedies.Effect{do(remedies.ResetFailed, "broken.service"), do(remedies.Stop, "up.service"), gate},
	}
	ctx, cancel := m.Strike(t.Context(), remedytest.Fault{Call: 4, Kind: remedytest.FailAfter})
	defer cancel()
	if err := p.Apply(ctx, m, m.Host(), nil); !errors.Is(err, remedytest.ErrFault) || !strings.HasPrefix(err.Error(), "ask nginx: run nginx-test: ") {
		t.Errorf("Apply = %v; want the fault, by the effect's name", err)
	}
	called(t, m, "write /etc/a", "reset-failed broken.service", "stop up.service", "run nginx-test",
		"write /etc/a", "reset-failed broken.service", "stop up.service", "run nginx-test")
}

// One thing that can't be put back does not keep the others from it.
func TestApplyTellsWhatIsNotBack(t *testing.T) {
	m := stack()
	p := remedies.Plan{
		Edits:   []remedies.Edit{write(m, "/etc/a", "1"), write(m, "/etc/b", "2")},
		Effects: []remedies.Effect{do(remedies.Restart, "up.service")},
	}
	m.HandleStart(func(string) error {
		m.Set("/etc/b", text("theirs")) // while it was about to start
		return errors.New("bad configuration")
	})
	err := p.Apply(t.Context(), m, m.Host(), nil)
	if !errors.Is(err, remedies.ErrNotBack) || !errors.Is(err, remedies.ErrStale) {
		t.Errorf("Apply = %v; want ErrNotBack with ErrStale", err)
	}
	if !strings.HasPrefix(err.Error(), "restart up.service: bad") {
		t.Errorf("the error does not begin with the cause: %v", err)
	}
	for _, part := range []string{
		"bad configuration\n", "could not put back: ", "undo: change /etc/b: ", "undo: restart up.service: ",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error: %v", part, err)
		}
	}
	files(t, m, "a", "theirs")
}

// The journal may refuse what is to be done, but not that it is undone.
func TestApplyJournalRefuses(t *testing.T) {
	for refuse, want := range map[string][]string{
		"create system user": nil,
		"change /etc/a":      nil,
		"change /etc/b":      {"write /etc/a", "write /etc/a"},
		"ask nginx":          {"run user-add x /x", "write /etc/a", "write /etc/b", "write /etc/b", "write /etc/a"},
		"restart":            {"write /etc/a", "write /etc/b", "run nginx-test", "write /etc/b", "write /etc/a"},
	} {
		t.Run(refuse, func(t *testing.T) {
			m := stack()
			p := remedies.Plan{
				Edits: []remedies.Edit{write(m, "/etc/a", "1"), write(m, "/etc/b", "2")}, Gates: []remedies.Gate{gate},
				Effects: []remedies.Effect{do(remedies.Restart, "up.service")},
			}
			if strings.Contains(refuse, "user") || slices.Contains(want, "run user-add x /x") {
				p.Steps = []remedies.Step{remedies.CreateUser{Name: "x", Home: "/x"}}
			}
			err := p.Apply(t.Context(), m, m.Host(), &journal{refuse: refuse})
			if !errors.Is(err, errRefused) || errors.Is(err, remedies.ErrNotBack) {
				t.Errorf("Apply = %v; want the refusal", err)
			}
			called(t, m, want...)
		})
	}
	t.Run("undo", func(t *testing.T) {
		m := stack()
		p := remedies.Plan{
			Edits:   []remedies.Edit{write(m, "/etc/a", "1")},
			Effects: []remedies.Effect{do(remedies.Reload, "up.service"), do(remedies.Reload, "down.service")},
		}
		err := p.Apply(t.Context(), m, m.Host(), &journal{refuse: "undo"})
		if !errors.Is(err, errRefused) {
			t.Errorf("Apply = %v; want also the refusal", err)
		}
		files(t, m, "a", "b")
		if got := m.Loaded("up.service", "/etc/a"); string(got.Data) != "a" {
			t.Errorf("up.service runs on with %s", got.Data)
		}
	})
}

func TestRevert(t *testing.T) {
	const unit = "/etc/systemd/system/new.service"
	m := stack()
	asked := false
	ready := func(context.Context, *host.Host) error { asked = true; return nil }
	p := remedies.Plan{
		Edits: []remedies.Edit{write(m, "/etc/a", "1"), write(m, unit, "[Service]\n")},
		Effects: []remedies.Effect{
			do(remedies.Reread, ""), do(remedies.Enable, "new.service"), do(remedies.Start, "new.service"),
			remedies.Do{Verb: remedies.Restart, Unit: "up.service", Ready: ready},
		},
	}
	if err := p.Apply(t.Context(), m, m.Host(), nil); err != nil || !asked {
		t.Fatalf("Apply = %v; asked whether it is ready: %t", err, asked)
	}
	asked = false
	n := len(m.Calls())
	if err := p.Revert(t.Context(), m, m.Host(), nil); err != nil {
		t.Error(err)
	}
	var got []string
	for _, c := range m.Calls()[n:] {
		got = append(got, c.What)
	}
	want := []string{"stop new.service", "disable new.service", "write " + unit, "write /etc/a", "daemon-reload", "restart up.service"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("reverted otherwise: %s", d)
	}
	if asked {
		t.Error("what was before was asked whether it is ready")
	}
	files(t, m, "a", "b")
	if u := m.Units()["new.service"]; u.State != host.Absent {
		t.Errorf("new.service is %s", u.State)
	}
}
