package engine

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/rules"
)

// A disk that hangs stops the writing and nothing else.
func TestALedgerThatHangsStopsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		var alive atomic.Int64
		r := startWith(t, table, &hold, func(o *Options) {
			o.Ledger = k
			o.Notify = func(s string) {
				if s == "WATCHDOG=1" {
					alive.Add(1)
				}
			}
		})
		release := k.hang()
		time.Sleep(7 * time.Second)
		r.change(func() { r.heals["start"] = []rules.Ref{dead} })
		r.set(true, dead)
		time.Sleep(time.Minute)
		looks := func() (n int) {
			r.change(func() { n = r.looks["probe.service.dead"] })
			return n
		}
		seen, beats := looks(), alive.Load()
		time.Sleep(time.Minute)
		if n := looks() - seen; n < 11 {
			t.Errorf("%d looks in a minute at one every 5 s", n)
		}
		if n := alive.Load() - beats; n < 11 {
			t.Errorf("%d signs of life in a minute", n)
		}
		if got := r.did(); len(got) != 1 || r.snapshot().State != "ok" {
			t.Errorf("ran %v, state %s: what costs little needs no intent written down", got, r.snapshot().State)
		}
		release()
		time.Sleep(time.Minute)
		r.stop()
		if len(k.incidents) != 1 || len(k.recordings) != 1 {
			t.Errorf("%d incidents and %d recordings were written once it went on", len(k.incidents), len(k.recordings))
		}
		for _, in := range k.incidents {
			if in.State != rules.IncidentHealed {
				t.Errorf("incident %s, its newest form is to be written last", in.State)
			}
		}
	})
}

// What costs more than a blip is not done while nobody would know after a crash
// that it was begun.
func TestWhatCostsMuchWaitsForItsIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		r := startWith(t, table, &hold, func(o *Options) {
			o.Ledger = k
			known := o.Remedy
			o.Remedy = func(id string) remedies.Remedy { return dear{known(id).(cure)} }
		})
		release := k.hang()
		r.change(func() { r.heals["start"] = []rules.Ref{dead} })
		r.set(true, dead)
		time.Sleep(30 * time.Second)
		if got := r.did(); len(got) != 0 {
			t.Errorf("ran %v", got)
		}
		if s := r.snapshot(); len(s.Recent) == 0 || !strings.Contains(s.Recent[0].Detail, "intent") {
			t.Errorf("attempts %+v", s.Recent)
		}
		release()
		time.Sleep(2 * time.Minute)
		if got := r.did(); len(got) != 1 {
			t.Errorf("ran %v once the ledger went on", got)
		}
		r.stop()
	})
}

// dear is a cure that costs more than a blip.
type dear struct{ cure }

func (d dear) Spec() remedies.Spec {
	s := d.cure.Spec()
	s.Risk = remedies.Outage
	return s
}

func TestTheEndDoesNotWaitForADiskForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		r := startWith(t, table, &hold, func(o *Options) { o.Ledger = k })
		release := k.hang()
		defer release()
		r.set(true, rules.On("odd", ""))
		time.Sleep(2 * time.Minute)
		before := time.Now()
		r.stop()
		if took := time.Since(before); took > closeTime {
			t.Errorf("the end took %s", took)
		}
	})
}

func TestWhatAnEarlierRunLeftOpenIsWrittenAsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		left := rules.Incident{ID: "1", Cause: dead, Onset: time.Now().Add(-time.Hour), State: rules.IncidentOpen}
		r := startWith(t, table, &hold, func(o *Options) {
			o.Ledger, o.Open = k, []rules.Incident{left}
			o.Sources = map[string]host.Source{}
		})
		time.Sleep(20 * time.Second)
		r.stop()
		if in := k.incidents["1"]; in.State != rules.IncidentGone || in.Ended.IsZero() {
			t.Errorf("state %q, ended %s", in.State, in.Ended)
		}
	})
}
