package engine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/rules"
)

func TestASnapshotTellsOfAHoldWhileAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		time.Sleep(12 * time.Second)
		r.change(func() { hold = "held by a test" })
		time.Sleep(keepAlive + time.Second)
		if s := r.snapshot(); s.Hold != "held by a test" || s.State != "ok" {
			t.Errorf("hold %q, state %s", s.Hold, s.State)
		}
		r.change(func() { hold = "" })
		time.Sleep(keepAlive + time.Second)
		if s := r.snapshot(); s.Hold != "" {
			t.Errorf("hold %q after it was taken off", s.Hold)
		}
	})
}

func TestASnapshotTellsOfIncidentsAndBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.set(true, rules.On("odd", ""))
		time.Sleep(3 * time.Minute)
		s := r.snapshot()
		if len(s.Open) != 1 || s.Open[0].Cause != rules.On("odd", "") || s.Open[0].Attempts == 0 || s.Open[0].ID == "" {
			t.Errorf("open incidents %+v", s.Open)
		}
		if b := s.Faults[0].Budget; b == nil || b.Used != len(s.Recent) || b.Of != 6 || b.Within != 900 {
			t.Errorf("budget %+v after %d attempts", b, len(s.Recent))
		}
		if len(s.Budgets) != 1 || s.Budgets[0].For != "host" {
			t.Errorf("shared budgets %+v", s.Budgets)
		}
		r.set(false, rules.On("odd", ""))
		time.Sleep(30 * time.Second)
		if s := r.snapshot(); len(s.Open) != 0 {
			t.Errorf("open incidents %+v when all is well", s.Open)
		}
	})
}

// silent is a source that is lost at once, until it works.
func TestASnapshotTellsOfLostEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		var works atomic.Bool
		r := startWith(t, table, &hold, func(o *Options) {
			o.Sources = map[string]host.Source{string(probes.WakeAddress): func(ctx context.Context, _ []string, happened func(string)) error {
				if !works.Load() {
					return errors.New("no more sockets")
				}
				happened("")
				<-ctx.Done()
				return ctx.Err()
			}}
		}, func(w *world) []probes.Probe { return []probes.Probe{woken{look{w, "woken", 5 * time.Second}}} })
		defer r.stop()
		time.Sleep(10 * time.Second)
		if s := r.snapshot(); s.Lost[string(probes.WakeAddress)] != "no more sockets" {
			t.Errorf("lost %v", s.Lost)
		}
		works.Store(true)
		time.Sleep(time.Minute)
		if s := r.snapshot(); len(s.Lost) != 0 {
			t.Errorf("lost %v when it works again", s.Lost)
		}
	})
}

// woken is a probe that an address wakes.
type woken struct{ look }

func (w woken) Spec() probes.Spec {
	s := w.look.Spec()
	s.Wakes = []probes.Wake{{Kind: probes.WakeAddress}}
	return s
}

var asks = []rules.Rule{{Code: "service.dead", Mode: rules.Ask, Remedies: []string{"start"}}}

// approving starts a rig whose one fault waits for approval, and returns what
// approves.
func approving(t *testing.T) (r *rig, approve func(hash string)) {
	t.Helper()
	hold := ""
	var yes atomic.Pointer[rules.Approval]
	r = startWith(t, asks, &hold, func(o *Options) {
		o.Policy = func() (p rules.Policy) {
			if a := yes.Load(); a != nil {
				p.Approved = map[rules.Ref]rules.Approval{dead: *a}
			}
			return p
		}
	})
	r.change(func() { r.heals["start"] = []rules.Ref{dead} })
	r.set(true, dead)
	time.Sleep(2 * time.Minute)
	if a := r.snapshot().Faults[0].Action; a.Kind != rules.Asking || len(r.did()) != 0 {
		t.Fatalf("action %+v, ran %v", a, r.did())
	}
	return r, func(hash string) { yes.Store(&rules.Approval{Remedy: "start", Plan: hash, At: time.Now()}) }
}

func TestAnApprovalIsNoticedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, approve := approving(t)
		defer r.stop()
		approve(cureHash("start"))
		time.Sleep(askAgain + 100*time.Millisecond)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v", got)
		}
	})
}

// An approved plan that is another one by now is not run, and waits for another
// approval instead of being planned again and again.
func TestAnApprovalOfAnotherPlanAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, approve := approving(t)
		defer r.stop()
		approve("000000000000")
		time.Sleep(time.Minute)
		s := r.snapshot()
		if len(r.did()) != 0 || len(s.Recent) != 1 || s.Recent[0].Outcome != rules.Outdated {
			t.Fatalf("ran %v, attempts %+v", r.did(), s.Recent)
		}
		if a := s.Faults[0].Action; a.Kind != rules.Asking || !strings.Contains(a.Reason, "another one by now") {
			t.Errorf("action %s: %s", a.Kind, a.Reason)
		}
		if s.Faults[0].Budget != nil {
			t.Errorf("it cost of the budget: %+v", s.Faults[0].Budget)
		}
		approve(cureHash("start"))
		time.Sleep(2 * time.Second)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v once the right plan was approved", got)
		}
	})
}
