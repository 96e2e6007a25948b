package rules

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// A rail is one guard rail: a reason why a remedy that would help may not run
// now. Permission is one question: every rail is asked, in this order, and the
// first that objects is the answer.
type rail struct {
	name string // for people
	says string // what it keeps to, one line for people
	// spares says whose faults it does not bind; nil: everybody's.
	spares func(Rule) bool
	ask    func(question) objection
}

// A question is whether one cause may be healed now by one remedy.
type question struct {
	now   time.Time
	book  *Book
	all   []Diagnosis // everything that is wrong
	d     Diagnosis
	m     *Memory
	p     Policy
	cure  remedies.Spec
	tried []Attempt // against this fault, within its budget's time
}

// An objection is what a rail answers; the zero value is none.
type objection struct {
	kind   Kind
	reason string
	until  time.Time
	look   []string
}

func doors(r Rule) bool { return r.Door }

// rails in the order of asking. A door is closed without confirmation and
// whoever is at work, but never without budget or against the kill switch.
var rails = []rail{
	{"hold", "nothing while /etc/watchdog/hold exists, a pause lasts, or a package manager is at work", nil, held},
	{"after hold", "what was seen under a hold is looked at again", nil, afterHold},
	{"state directory", "while nothing can be written down: only what costs little and needs no secret", nil, forgetful},
	{"start-up", "after a boot services get three minutes to come up by themselves, or until all is well", doors, starting},
	{"self-suspicion", "nothing disruptive while most probes are blind, or after remedies for three faults in a row did not help", doors, suspicious},
	{"storm brake", "nothing disruptive while five causes at once ask for it", doors, storm},
	{"flapping", "what came back four times within three minutes is left alone until it stands still", doors, flapping},
	{"confirmation", "seen as often and as long as its rule wants, and what can explain it looked at after", doors, confirmed},
	{"budget", "as many attempts as its rule allows", nil, ownBudget},
	{"service budget", "ten attempts on one service within half an hour", nil, serviceBudget},
	{"host budget", "forty attempts on the host within half an hour", nil, hostBudget},
	{"back-off", "longer and longer after attempts that did not help", nil, backedOff},
	{"approval", "mode ask, or what may lose data: a person approves the plan", nil, approval},
}

// Rails lists the guard rails that bind the faults of a rule, for people: name
// and what it keeps to.
func Rails(rule Rule) [][2]string {
	var out [][2]string
	for _, r := range rails {
		if r.binds(rule) {
			out = append(out, [2]string{r.name, r.says})
		}
	}
	return out
}

func (r rail) binds(rule Rule) bool { return r.spares == nil || !r.spares(rule) }

func object(k Kind, until time.Time, format string, args ...any) objection {
	return objection{kind: k, reason: fmt.Sprintf(format, args...), until: until}
}

var never time.Time

func held(q question) objection {
	if q.p.Hold == "" {
		return objection{}
	}
	return object(Hold, never, "%s", q.p.Hold)
}

func afterHold(q question) objection {
	if !q.m.Sightings[q.d.Fault].Began.Before(q.m.Held) {
		return objection{}
	}
	return objection{kind: Wait, reason: "looks again, after the hold", look: q.d.Probes}
}

func forgetful(q question) objection {
	if q.p.Forgetful == "" || q.cure.Risk <= remedies.Blip && !q.cure.NeedsSecret {
		return objection{}
	}
	return object(Hold, never, "%s", q.p.Forgetful)
}

// grace is how long services get to come up after the host has.
const grace = 3 * time.Minute

func starting(q question) objection {
	until := q.m.Booted.Add(grace)
	if q.m.Ready || !q.now.Before(until) || q.cure.Risk < remedies.Blip {
		return objection{}
	}
	return object(Wait, until, "the host came up %s ago", q.now.Sub(q.m.Booted).Round(time.Second))
}

const (
	// suspicion is how long nothing disruptive is done after remedies in a row
	// for several faults did not help: the fault may be ours.
	suspicion       = 10 * time.Minute
	suspiciousAfter = 3
	// blindFrom is how many probes have to be blind to speak of most.
	blindFrom = 4
)

func suspicious(q question) objection {
	if q.cure.Risk < remedies.Blip {
		return objection{}
	}
	blind := 0
	for _, r := range q.m.Latest {
		if r.State == probes.Unknown {
			blind++
		}
	}
	if blind >= blindFrom && 2*blind > len(q.m.Latest) {
		return object(Hold, never, "%d of %d probes cannot look: it may be this program that is ill", blind, len(q.m.Latest))
	}
	var faults []Ref
	var last Attempt
	for _, a := range slices.Backward(q.m.Attempts) {
		if a.Outcome == PutOff || !a.counts(q.now, suspicion, q.p.Resumed) {
			continue
		}
		if a.Outcome == Healed {
			break
		}
		if a.Outcome != Failed && a.Outcome != Unproved || slices.Contains(faults, a.Fault) {
			continue
		}
		last.Ended = latest(last.Ended, a.Ended)
		faults = append(faults, a.Fault)
	}
	if len(faults) < suspiciousAfter {
		return objection{}
	}
	until := last.Ended.Add(suspicion)
	return object(Hold, until, "the last remedies for %d faults did not help: it may be this program that is ill", len(faults))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stormFrom is how many causes at once, each with a disruptive remedy, are a
// storm: something is wrong that no rule knows, and restarting everything would
// not mend it.
const stormFrom = 5

func storm(q question) objection {
	if q.cure.Risk < remedies.Blip {
		return objection{}
	}
	n := 0
	for _, d := range q.all {
		if d.Verdict == Cause && !d.Rule.Door && len(d.Rule.Remedies) > 0 && q.p.ModeOf(d.Rule) != Observe &&
			q.book.Cures[d.Rule.Remedy(0, d.Fault.Subject)].Risk >= remedies.Blip {
			n++
		}
	}
	if n < stormFrom {
		return objection{}
	}
	return object(Hold, never, "%d causes at once: something is wrong that no rule knows", n)
}

const (
	// flaps within flapWindow make a fault a flapping one; still is how long
	// it has to stand unchanged to be tried again.
	flaps      = 4
	flapWindow = 3 * time.Minute
	still      = time.Minute
)

func flapping(q question) objection {
	n := 0
	var last time.Time
	for _, t := range q.m.Onsets[q.d.Fault] {
		if age := q.now.Sub(t); age >= 0 && age < flapWindow && t.After(q.p.Resumed) {
			n, last = n+1, t
		}
	}
	until := last.Add(still)
	if n < flaps || !q.now.Before(until) {
		return objection{}
	}
	return object(GaveUp, until, "it flaps: came back %d times within %s; left alone until it stands still for %s", n, flapWindow, still)
}

// fresh is how old the newest sight of a fault may be to act on it: after a
// pause or a wait it may be gone.
const fresh = 2 * time.Second

func confirmed(q question) objection {
	s := q.m.Sightings[q.d.Fault]
	if want := q.d.Rule.Confirmation(); s.Looks < want {
		return object(Wait, never, "seen %d of %d times", s.Looks, want)
	}
	if ready := s.Cause.Add(q.d.Rule.For); q.now.Before(ready) {
		return object(Wait, ready, "has to last %s", q.d.Rule.For)
	}
	if q.now.Sub(s.Last) > fresh {
		return objection{kind: Wait, reason: "looks again first", look: q.d.Probes}
	}
	if until := aftermathOf(q); q.now.Before(until) {
		return object(Wait, until, "its cause was healed a moment ago")
	}
	// By a person's hand, perhaps, who is still at it.
	if until := s.Cause.Add(settling); s.Followed && q.now.Before(until) {
		return object(Wait, until, "what explained it went a moment ago")
	}
	var look []string
	for _, p := range q.book.Beneath(q.d.Fault) {
		if q.m.Looked(p).Before(s.First) { // never, counts as before
			look = append(look, p)
		}
	}
	if len(look) > 0 {
		return objection{kind: Wait, reason: "looks beneath it first: " + look[0], look: look}
	}
	return objection{}
}

func backedOff(q question) objection {
	until, reason := backoff(q)
	if !q.now.Before(until) {
		return objection{}
	}
	return object(Wait, until, "%s", reason)
}

// asks reports whether a person has to approve the plan: where the mode says so,
// and whatever row names it, where data may be lost.
func (q question) asks() bool {
	return q.p.ModeOf(q.d.Rule) == Ask || q.cure.Risk >= remedies.DataLoss
}

func approval(q question) objection {
	if !q.asks() {
		return objection{}
	}
	yes, ok := q.p.Approved[q.d.Fault]
	switch {
	case !ok || yes.Remedy != q.cure.ID:
		return object(Asking, never, "waits for approval: watchdog approve %s", cmp.Or(q.d.Fault.String(), "CODE"))
	case q.now.Sub(yes.At) > ApprovalLasts:
		return object(Asking, never, "the approval of %s is older than %s", yes.At.Format(time.TimeOnly), ApprovalLasts)
	case q.outdated(yes.At):
		return object(Asking, never, "the plan is another one by now than the one that was approved; waits for another approval")
	case len(q.tried) > 0 && q.tried[len(q.tried)-1].At.After(yes.At):
		return object(Asking, never, "the plan that was approved was tried and %s; waits for another approval", q.tried[len(q.tried)-1].Outcome)
	}
	return objection{}
}

// outdated reports whether the plan that was approved then turned out to be
// another one by now.
func (q question) outdated(approved time.Time) bool {
	return slices.ContainsFunc(q.m.Attempts, func(a Attempt) bool {
		return a.Outcome == Outdated && a.Fault == q.d.Fault && a.At.After(approved)
	})
}
