package ledger

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// A step that is done, or dies.
type step struct{ s *site }

func (step) String() string                                 { return "make it" }
func (step) Done(context.Context, *host.Host) (bool, error) { return false, nil }

func (s step) Do(context.Context, remedies.Hands, *host.Host) error {
	if s.s.die == "step" {
		panic("killed")
	}
	return nil
}

// TestEveryPlanIsJournaled: whatever it consists of.
func TestEveryPlanIsJournaled(t *testing.T) {
	for name, plan := range map[string]func(*site) remedies.Plan{
		"step": func(s *site) remedies.Plan { return remedies.Plan{Steps: []remedies.Step{step{s}}} },
		"edit": func(s *site) remedies.Plan { return remedies.Plan{Edits: []remedies.Edit{change{s}}} },
		"effect": func(*site) remedies.Plan {
			return remedies.Plan{Effects: []remedies.Effect{remedies.Do{Verb: remedies.Start, Unit: "x"}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, s := NewJournal(t.TempDir()), &site{die: name}
			h := &host.Host{Init: units{s}}
			p := plan(s)
			p.Remedy = "x"
			func() {
				defer func() { _ = recover() }()
				_ = j.Apply(t.Context(), p, hands{s: s}, h, nil)
				t.Error("was not killed")
			}()
			if !j.Left("x") {
				t.Fatal("nothing is left of it")
			}
			if err := j.Apply(t.Context(), remedies.Plan{Remedy: "x"}, hands{s: s}, h, nil); err != nil || j.Left("x") {
				t.Errorf("an empty plan does not end it: %v", err)
			}
		})
	}
}

// TestARestartIsNotMadeTwice: what was cut short after the service had been
// restarted is done.
func TestARestartIsNotMadeTwice(t *testing.T) {
	for _, since := range []int{0, 1} {
		j, s := NewJournal(t.TempDir()), &site{only: true, die: "effect"}
		if !run(t, j, s) {
			t.Fatal("was not killed")
		}
		s.die, s.restarts = "", since
		run(t, j, s)
		if s.restarts != 1 || j.Left("nginx.conf") {
			t.Errorf("restarted %d times since the run, then %d times in all; left %v", since, s.restarts, j.Left("nginx.conf"))
		}
		run(t, j, s)
		if s.restarts != 2 {
			t.Error("another restart is not made")
		}
	}
}

func TestWhatCanNotBePutBackIsLeftToNobody(t *testing.T) {
	j, s := NewJournal(t.TempDir()), &site{file: "old", stubborn: true}
	h := &host.Host{Init: units{s}}
	p, err := j.Plan(t.Context(), remedy{s}, h)
	if err != nil {
		t.Fatal(err)
	}
	p.Gates = []remedies.Gate{no{}}
	if err := j.Apply(t.Context(), p, hands{s: s}, h, nil); !errors.Is(err, remedies.ErrNotBack) {
		t.Fatalf("applied: %v", err)
	}
	e, err := j.read("nginx.conf")
	if err != nil || e == nil || e.Writer != (host.Writer{}) || len(e.Records) != 1 {
		t.Errorf("left %+v, %v", e, err)
	}
}

func TestEarlierFormsAreRead(t *testing.T) {
	j, s := NewJournal(t.TempDir()), &site{file: "new", running: "old"}
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.file("nginx.conf"), []byte(`[{"verb":"restart","unit":"nginx.service"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, j, s)
	if s.running != "new" || j.Left("nginx.conf") {
		t.Errorf("after it: %+v", *s)
	}
}

// TestWithoutAJournal: where it can't be written, what costs little is done all
// the same.
func TestWithoutAJournal(t *testing.T) {
	for risk, done := range map[remedies.Risk]bool{remedies.Harmless: true, remedies.Blip: true, remedies.Outage: false} {
		file := t.TempDir() + "/state"
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		j := NewJournal(file) // below a file there is nothing
		s := &site{file: "old", risk: risk}
		h := &host.Host{Init: units{s}}
		// Planning reads it, and must not fail for it either.
		p, err := j.Plan(t.Context(), remedy{s}, h)
		if err != nil {
			t.Fatal(err)
		}
		heard := &progress{}
		err = j.Apply(t.Context(), p, hands{s: s}, h, heard)
		if (err == nil) != done || (s.file == "new") != done {
			t.Errorf("%s: %v, %+v", risk, err, *s)
		}
		if done != slices.Contains(heard.failed, "go on without the journal") {
			t.Errorf("%s: said of what did not work: %q", risk, heard.failed)
		}
		if err := j.Revert(t.Context(), p, hands{s: s}, h, nil); err != nil || s.file != "old" {
			t.Errorf("%s: put back: %v, %+v", risk, err, *s)
		}
	}
}

type progress struct{ failed []string }

func (*progress) Begin(string) error { return nil }

func (p *progress) End(what string, err error) {
	if err != nil {
		p.failed = append(p.failed, what)
	}
}
