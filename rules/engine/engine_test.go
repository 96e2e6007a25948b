package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

var table = []rules.Rule{
	{Code: "service.dead", Remedies: []string{"start"}},
	{Code: "issuer.down", DependsOn: []rules.Ref{rules.On("service.dead", "")}, Remedies: []string{"soft", "hard"}},
	{Code: "odd", Remedies: []string{"nothing", "broken"}},
}

var (
	dead   = rules.On("service.dead", "keycloak")
	issuer = rules.On("issuer.down", "public")
)

func TestHealsTheCauseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		time.Sleep(7 * time.Second)
		r.change(func() { r.heals["start"] = []rules.Ref{dead, issuer} })
		r.set(true, issuer, dead)
		time.Sleep(10 * time.Second)
		if got := r.did(); len(got) != 1 || got[0] != "start" {
			t.Fatalf("ran %v, want start once and nothing for the symptom", got)
		}
		s := r.snapshot()
		if s.State != "ok" || len(s.Recent) != 1 || s.Recent[0].Outcome != rules.Healed {
			t.Errorf("state %s, attempts %+v", s.State, s.Recent)
		}
		if s.Heal.Count != 1 {
			t.Errorf("heal histogram counts %d", s.Heal.Count)
		}
	})
}

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

func TestASymptomSeenFirstIsNotActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		time.Sleep(11 * time.Second) // the next look of issuer.down is at 20 s, of service.dead at 15 s
		r.change(func() { r.heals["start"] = []rules.Ref{dead, issuer} })
		r.change(func() { r.heals["soft"] = []rules.Ref{issuer} })
		time.Sleep(8900 * time.Millisecond)
		r.set(true, issuer, dead)
		time.Sleep(10 * time.Second)
		if got := r.did(); len(got) != 1 || got[0] != "start" {
			t.Errorf("ran %v, want only start", got)
		}
	})
}

// TestASymptomGoesWithACauseThatAPersonEnds ends a fault that only a person can
// end, at many points between two looks.
func TestASymptomGoesWithACauseThatAPersonEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		taken := rules.On("port.taken", "")
		r := start(t, []rules.Rule{
			{Code: "port.taken"},
			{Code: "issuer.down", DependsOn: []rules.Ref{taken}, Remedies: []string{"soft", "hard"}},
		}, &hold)
		defer r.stop()
		for i := range 20 {
			r.set(true, taken, issuer)
			time.Sleep(time.Minute + time.Duration(i)*130*time.Millisecond)
			r.set(false, taken, issuer)
			time.Sleep(20 * time.Second)
		}
		if got := r.did(); len(got) != 0 {
			t.Errorf("ran %v, want nothing: it was gone with its cause", got)
		}
		r.set(true, taken, issuer)
		time.Sleep(time.Minute)
		r.change(func() { r.heals["soft"] = []rules.Ref{issuer} })
		r.set(false, taken)
		time.Sleep(20 * time.Second)
		if got := r.did(); len(got) != 1 || got[0] != "soft" {
			t.Errorf("ran %v, want soft for what stayed", got)
		}
	})
}

func TestNoProofWaitsForWhatIsSilentMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, drift := "held", rules.On(rules.DriftCode, "start")
		table := append(slices.Clone(table), rules.Rule{Code: rules.DriftCode, DependsOn: []rules.Ref{rules.On("service.dead", "")}})
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.heals["start"] = []rules.Ref{dead, drift} })
		r.set(true, dead, drift)
		time.Sleep(time.Minute)
		r.change(func() { hold = "" })
		time.Sleep(20 * time.Second)
		if s := r.snapshot(); len(s.Recent) != 1 || s.Recent[0].Outcome != rules.Healed || s.State != "ok" {
			t.Errorf("state %s, attempts %+v", s.State, s.Recent)
		}
	})
}

func TestAnUnprovedRemedyIsPutBackAndTheNextRungTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.heals["hard"] = []rules.Ref{issuer} }) // soft changes something, and does not help
		r.set(true, issuer)
		time.Sleep(3 * time.Minute)
		got := r.did()
		if len(got) != 2 || got[0] != "soft" || got[1] != "hard" {
			t.Fatalf("ran %v, want soft, then hard", got)
		}
		if r.undone != 1 {
			t.Errorf("%d edits were undone, want soft's", r.undone)
		}
		s := r.snapshot()
		if s.Recent[0].Outcome != rules.Unproved || s.Recent[1].Outcome != rules.Healed {
			t.Errorf("outcomes %s, %s", s.Recent[0].Outcome, s.Recent[1].Outcome)
		}
	})
}

func TestHoldHoldsAndLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := "held by a test"
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.heals["start"] = []rules.Ref{dead} })
		r.set(true, dead)
		time.Sleep(time.Minute)
		if got := r.did(); len(got) != 0 {
			t.Fatalf("ran %v under the hold", got)
		}
		if a := r.snapshot().Faults[0].Action; a.Kind != rules.Hold || a.Reason != "held by a test" {
			t.Errorf("action %+v", a)
		}
		r.change(func() { hold = "" })
		time.Sleep(10 * time.Second)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v after the hold", got)
		}
	})
}

func TestGivesUpAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.set(true, rules.On("odd", ""))
		time.Sleep(20 * time.Minute)
		s := r.snapshot()
		if len(s.Recent) < 6 {
			t.Fatalf("%d attempts in 20 minutes", len(s.Recent))
		}
		for i, a := range s.Recent[6:] {
			if gap := a.At.Sub(s.Recent[i].At); gap < 15*time.Minute {
				t.Errorf("seven attempts within %s, want the budget's 6 per 15 minutes", gap)
			}
		}
		if s.Recent[0].Outcome != rules.Unneeded || s.Recent[1].Outcome != rules.Failed {
			t.Errorf("outcomes %s, %s", s.Recent[0].Outcome, s.Recent[1].Outcome)
		}
		r.set(false, rules.On("odd", ""))
		time.Sleep(10 * time.Second)
		if s := r.snapshot(); s.State != "ok" {
			t.Errorf("state %s after the fault went away by itself", s.State)
		}
	})
}

func TestAHungProbeDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.hung["probe.issuer.down"] = true })
		time.Sleep(61 * time.Second)
		n := 0
		r.change(func() { n = r.looks["probe.service.dead"] })
		if n < 12 || n > 14 {
			t.Errorf("%d looks in a minute at one every 5 s", n)
		}
		s := r.snapshot()
		if s.State != "unknown" || s.Probes[1].State != probes.Unknown {
			t.Errorf("state %s, hung probe %s", s.State, s.Probes[1].State)
		}
	})
}

func TestSlowLooksDoNotRaiseWhatWasHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, []rules.Rule{{Code: "service.dead", Remedies: []string{"start"}}}, &hold, func(w *world) []probes.Probe {
			l := look{w, "service.dead", 5 * time.Second}
			return []probes.Probe{slow{l, ".v4"}, slow{l, ".v6"}} // two agree, which would confirm it
		})
		defer r.stop()
		r.change(func() { r.heals["start"] = []rules.Ref{dead} })
		time.Sleep(4 * time.Second)
		r.set(true, dead)
		time.Sleep(20 * time.Second)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v, want start once", got)
		}
		if s := r.snapshot(); s.State != "ok" || len(s.Recent) != 1 {
			t.Errorf("state %s, attempts %+v", s.State, s.Recent)
		}
	})
}

func TestAFaultThatTakesLongToSeeIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.heals["start"] = []rules.Ref{dead} })
		r.change(func() { r.late = 2500 * time.Millisecond })
		r.set(true, dead)
		time.Sleep(30 * time.Second)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v, want start once", got)
		}
	})
}

func TestWaitingForTheLockCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.change(func() { r.locked = true })
		r.change(func() { r.heals["soft"] = []rules.Ref{issuer} })
		r.set(true, issuer)
		time.Sleep(3 * time.Minute)
		if got := r.did(); len(got) != 0 {
			t.Fatalf("ran %v without the lock", got)
		}
		r.change(func() { r.locked = false })
		time.Sleep(time.Minute)
		if got := r.did(); len(got) != 1 || got[0] != "soft" {
			t.Errorf("ran %v, want the first rung once", got)
		}
	})
}

func TestAHoldStopsPuttingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := ""
		r := start(t, table, &hold)
		defer r.stop()
		r.set(true, issuer) // soft changes something, and does not help
		time.Sleep(20 * time.Second)
		r.change(func() { hold = "a person repairs it" })
		time.Sleep(3 * time.Minute)
		if r.undone != 0 {
			t.Errorf("%d edits were undone under the hold", r.undone)
		}
	})
}

func TestAClockSetBackDoesNotStopLooking(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	s := newSchedule([]probes.Probe{look{&world{}, "five", 5 * time.Second}}, now)
	s.due(now, nil)
	s.done("probe.five", now, true)
	if n := len(s.due(now.Add(-time.Hour), nil)); n != 1 {
		t.Errorf("%d due after the clock was set back an hour", n)
	}
}
