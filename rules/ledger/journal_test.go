package ledger

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// site is a made-up file and the service that reads it.
type site struct {
	file, running string
	restarts      int
	die           string // where the process dies: "edit", "effect"
	risk          remedies.Risk
	stubborn      bool // what was written can't be taken back
	only          bool // there is nothing to do but to restart
}

type remedy struct{ s *site }

func (r remedy) Spec() remedies.Spec {
	return remedies.Spec{ID: "nginx.conf", Timeout: time.Minute, Risk: r.s.risk}
}

func (r remedy) Plan(context.Context, *host.Host) (remedies.Plan, error) {
	if r.s.only {
		return remedies.Plan{Effects: []remedies.Effect{remedies.Do{Verb: remedies.Restart, Unit: "nginx.service"}}}, nil
	}
	if r.s.file == "new" {
		return remedies.Plan{}, nil
	}
	return remedies.Plan{
		Edits:   []remedies.Edit{change{r.s}},
		Effects: []remedies.Effect{remedies.Do{Verb: remedies.Restart, Unit: "nginx.service"}},
	}, nil
}

type change struct{ s *site }

func (change) String() string { return "change the file" }
func (change) Diff() string   { return "" }

func (c change) Do(context.Context, remedies.Hands) error {
	if c.s.die == "edit" {
		panic("killed")
	}
	c.s.file = "new"
	return nil
}

func (c change) Undo(context.Context, remedies.Hands) error {
	if c.s.stubborn {
		return errors.New("stubborn")
	}
	c.s.file = "old"
	return nil
}

// hands restart the one service.
type hands struct {
	remedies.Hands
	s *site
}

func (h hands) Service(context.Context, string, remedies.Verb) error {
	if h.s.die == "effect" {
		panic("killed")
	}
	h.s.running, h.s.restarts = h.s.file, h.s.restarts+1
	return nil
}

// units run, and tell of their restarts.
type units struct{ s *site }

func (u units) Unit(context.Context, string) (host.Unit, error) {
	return host.Unit{State: host.Running, Starts: uint64(1 + u.s.restarts)}, nil
}

// run plans and applies once, as install does; a panic stands for kill -9.
func run(t *testing.T, j Journal, s *site) (killed bool) {
	t.Helper()
	defer func() { killed = recover() != nil }()
	h := &host.Host{Init: units{s}}
	p, err := j.Plan(t.Context(), remedy{s}, h)
	if err != nil {
		t.Fatal(err)
	}
	if p.Empty() && !j.Left(p.Remedy) {
		return false
	}
	if err := j.Apply(t.Context(), p, hands{s: s}, h, nil); err != nil {
		t.Fatal(err)
	}
	return false
}

func TestWhatAKilledRunLeftIsFinishedByTheNext(t *testing.T) {
	for _, where := range []string{"edit", "effect"} {
		t.Run(where, func(t *testing.T) {
			j := NewJournal(t.TempDir())
			s := &site{file: "old", running: "old", die: where}
			if !run(t, j, s) {
				t.Fatal("was not killed")
			}
			if e, err := j.read("nginx.conf"); err != nil || e == nil || e.Writer.PID != os.Getpid() {
				t.Fatalf("left %+v, %v; want its writer", e, err)
			}
			s.die = ""
			run(t, j, s)
			if s.file != "new" || s.running != "new" || s.restarts != 1 {
				t.Errorf("after the next run: %+v", *s)
			}
			if j.Left("nginx.conf") {
				t.Error("what was finished is still left")
			}
			run(t, j, s)
			if s.restarts != 1 {
				t.Errorf("a third run restarts again: %+v", *s)
			}
		})
	}
}

func TestAFailedPlanLeavesNoJournal(t *testing.T) {
	j := NewJournal(t.TempDir())
	s := &site{file: "old", running: "old"}
	p, err := j.Plan(t.Context(), remedy{s}, &host.Host{Init: units{s}})
	if err != nil {
		t.Fatal(err)
	}
	p.Gates = []remedies.Gate{no{}}
	if err := j.Apply(t.Context(), p, hands{s: s}, &host.Host{Init: units{s}}, nil); err == nil {
		t.Fatal("the gate was passed")
	}
	if s.file != "old" {
		t.Errorf("not put back: %+v", *s)
	}
	if left, _ := os.ReadDir(j.Dir); len(left) != 0 {
		t.Errorf("journal left: %v", left)
	}
}

type no struct{}

func (no) String() string                             { return "ask" }
func (no) Pass(context.Context, remedies.Hands) error { return errors.New("no") }

func TestACorruptJournalIsSetAside(t *testing.T) {
	j := NewJournal(t.TempDir())
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.file("nginx.conf"), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := j.Plan(t.Context(), remedy{&site{file: "new"}}, &host.Host{})
	if err != nil || !p.Empty() {
		t.Errorf("plan %v, %v", p.Lines(), err)
	}
	left, err := os.ReadDir(j.Dir)
	if err != nil || !slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() == "nginx.conf.json.corrupt" }) {
		t.Errorf("not kept aside: %v %v", left, err)
	}
}
