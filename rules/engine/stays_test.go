package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"watchdog/rules"
)

// TestWhatStaysIsNotWaitedFor: a symptom that does not end with its cause costs
// the cause's proof nothing, and is healed next.
func TestWhatStaysIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		off, old := rules.On("timer.off", ""), rules.On("cert.old", "")
		r := start(t, []rules.Rule{
			{Code: "timer.off", Remedies: []string{"enable"}},
			{Code: "cert.old", DependsOn: []rules.Ref{{Code: "timer.off", Stays: true}}, Remedies: []string{"order"}},
		}, &hold)
		defer r.stop()
		time.Sleep(7 * time.Second)
		r.change(func() { r.heals["enable"], r.heals["order"] = []rules.Ref{off}, []rules.Ref{old} })
		r.set(true, off, old)
		time.Sleep(12 * time.Second)
		if got := r.did(); len(got) != 2 || got[0] != "enable" || got[1] != "order" {
			t.Fatalf("ran %v, want enable, then order", got)
		}
		s := r.snapshot()
		for _, a := range s.Recent {
			if a.Outcome != rules.Healed || a.Detail != "" {
				t.Errorf("%s of %s: %s %s", a.Remedy, a.Fault, a.Outcome, a.Detail)
			}
		}
		if took := s.Recent[1].Ended.Sub(s.Recent[0].At); took > 3*time.Second {
			t.Errorf("both took %s", took)
		}
	})
}

// TestWhatAwaitsSomebodyIsLeftAloneUntilThen: it is healed soon after, however
// seldom its probe looks.
func TestWhatAwaitsSomebodyIsLeftAloneUntilThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.heals["soft"], r.awaits = []rules.Ref{issuer}, "port 80 is free" })
		r.set(true, issuer)
		time.Sleep(91 * time.Second)
		if s := r.snapshot(); len(r.did()) > 0 || s.Faults[0].Action.Kind != rules.Report || s.Faults[0].Action.Reason != "nothing helps before port 80 is free" {
			t.Fatalf("ran %v, action %+v", r.did(), s.Faults[0].Action)
		}
		r.change(func() { r.awaits = "" })
		time.Sleep(awaiting + time.Second)
		if got := r.did(); len(got) != 1 || got[0] != "soft" {
			t.Errorf("ran %v, want soft", got)
		}
	})
}
