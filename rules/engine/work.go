package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
	"watchdog/rules"
)

// work is one remedy, from its intent to its proof. The findings that end with
// the cause are written down first: healed means that they are gone.
type work struct {
	attempt   rules.Attempt
	id        uint64
	predicted []rules.Ref // the cause itself first, then what ends with it
	askers    []string    // the probes whose word counts as proof
	above     []string    // those that see whether its users are served
	blind     []string    // those above that could not look before either
	plan      remedies.Plan

	proving  bool
	since    time.Time // when the plan had been applied
	deadline time.Time // of the proof
	stuck    time.Time // when what runs beside the loop counts as hung
	steps    []rules.Moment
}

// due is when the loop has to look at the work, zero for never.
func (w *work) due() time.Time {
	switch {
	case w == nil:
		return time.Time{}
	case !w.deadline.IsZero():
		return w.deadline
	}
	return w.stuck
}

// applied is what came of applying or reverting a plan.
type applied struct {
	id    uint64 // in the ledger
	plan  remedies.Plan
	steps []rules.Moment
	err   error
}

// proofTime is how long a service's users may take to see it again, beyond the
// remedy's own time.
const proofTime = 45 * time.Second

// begin starts the remedy beside the loop. Its intent is written down first.
func (e *Engine) begin(ctx context.Context, a rules.Action, d rules.Diagnosis) {
	now, ending := e.Host.Now(), e.ending(d)
	w := &work{
		attempt: rules.Attempt{
			Fault: a.Fault, Remedy: a.Remedy, Rung: a.Rung, Outcome: rules.Attempting,
			Seen: e.core.Memory.Sightings[d.Fault].First, At: now, Explains: ending,
		},
		predicted: append([]rules.Ref{d.Fault}, ending...),
		askers:    e.askers(d, ending),
		above:     e.Book.Above(d.Fault),
	}
	// Those that tell nothing while a remedy is at work can't vouch for it.
	calm := func(p string) bool { return e.Book.Calm[p] }
	w.askers, w.above = slices.DeleteFunc(w.askers, calm), slices.DeleteFunc(slices.Clone(w.above), calm)
	w.blind = slices.DeleteFunc(slices.Clone(w.above), func(p string) bool { return e.core.Memory.Latest[p].State != probes.Unknown })
	e.work = w
	e.dirty = true
	e.core.Begin(a.Fault)
	e.record.begun(now, a.Fault)
	r := e.Remedy(a.Remedy)
	if r == nil {
		e.end(rules.Failed, fmt.Sprintf("there is no remedy %s on this host", a.Remedy))
		return
	}
	e.Log.Info("healing", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "remedy", a.Remedy, "rung", a.Rung, "explains", len(d.Explains))
	w.stuck = now.Add(r.Spec().Timeout + stuckAfter)
	// A plan at work outlives the daemon's own end: it is finished or put
	// back, within its time.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Spec().Timeout)
	go func() {
		defer cancel()
		t := task{e: e, remedy: r, approved: a.Plan, door: d.Rule.Door}
		e.applied <- t.run(run, w.attempt)
	}()
}

// ending lists what a cause explains and what goes with it.
func (e *Engine) ending(d rules.Diagnosis) []rules.Ref {
	var out []rules.Ref
	for _, other := range e.core.Diagnoses {
		if slices.Contains(d.Explains, other.Fault) && !slices.Contains(other.Outlasts, d.Fault) {
			out = append(out, other.Fault)
		}
	}
	return out
}

// askers lists the probes that found the cause or what ends with it.
func (e *Engine) askers(d rules.Diagnosis, ending []rules.Ref) []string {
	out := slices.Clone(d.Probes)
	for _, other := range e.core.Diagnoses {
		if !slices.Contains(ending, other.Fault) {
			continue
		}
		for _, p := range other.Probes {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// tookEffect goes on to the proof, or ends the attempt.
func (e *Engine) tookEffect(a applied) {
	w := e.work
	w.stuck = time.Time{}
	w.id = max(w.id, a.id)
	w.steps = append(w.steps, a.steps...)
	switch {
	case w.proving: // the plan was being reverted
		if a.err != nil {
			e.Log.Error("put back", "remedy", w.attempt.Remedy, "err", a.err.Error())
		}
		e.end(rules.Unproved, "the fault stayed; put back what was changed")
	case errors.Is(a.err, errNothing):
		e.end(rules.Unneeded, a.err.Error())
	case errors.Is(a.err, errOutdated):
		e.end(rules.Outdated, a.err.Error())
	case errors.Is(a.err, errNotNow), !errors.Is(a.err, remedies.ErrNotBack) &&
		(errors.Is(a.err, remedies.ErrStale) || errors.Is(a.err, remedies.ErrBusy)):
		e.end(rules.PutOff, a.err.Error())
	case a.err != nil:
		e.end(rules.Failed, a.err.Error())
	default:
		now := e.Host.Now()
		w.plan, w.proving, w.since, w.deadline = a.plan, true, now, now.Add(proofTime)
		e.ask(now)
	}
}

// ask makes the probes whose word is the proof look now.
func (e *Engine) ask(t time.Time) {
	for _, p := range slices.Concat(e.work.askers, e.work.above) {
		if e.core.Memory.Latest[p].State != probes.OK || e.core.Memory.Looked(p).Before(e.work.since) {
			e.schedule.hasten(p, t)
		}
	}
}

// reprove is how often the proof is asked for while it is not there.
const reprove = 500 * time.Millisecond

// prove judges the remedy at work: healed when everything predicted is gone, and
// its users are served, by looks that began after it was applied.
func (e *Engine) prove(ctx context.Context) {
	w := e.work
	if w == nil || !w.proving || w.deadline.IsZero() {
		return
	}
	now := e.Host.Now()
	missing, left := e.evidence()
	switch {
	case missing == "" && len(left) == 0:
		e.end(rules.Healed, "")
	case now.Before(w.deadline):
		e.ask(now.Add(reprove))
	case slices.Contains(left, w.attempt.Fault) && len(w.plan.Edits) > 0:
		if hold := e.policyNow().Hold; hold != "" {
			e.end(rules.Unproved, "the fault stayed; not put back: "+hold)
			return
		}
		e.revert(ctx)
	case slices.Contains(left, w.attempt.Fault):
		e.end(rules.Unproved, "the fault stayed")
	case len(left) > 0:
		// The cause is gone and something it was to explain is not: that is
		// another fault's, and stands as a cause of its own from now on.
		e.end(rules.Healed, fmt.Sprintf("%s stayed and has another cause", left[0]))
	default:
		e.end(rules.Unclear, "could not look again in time: "+missing)
	}
}

// evidence returns a probe whose word counts and which has not looked since the
// remedy was applied, and what of the faults that were to go is still seen: those
// that were predicted, and what came up meanwhile that only this cause explains.
func (e *Engine) evidence() (missing string, left []rules.Ref) {
	w := e.work
	elsewhere := map[rules.Ref]bool{} // faults that something else explains, or that are their own cause
	for _, d := range e.core.Diagnoses {
		elsewhere[d.Fault] = slices.ContainsFunc(d.By, func(by rules.Ref) bool { return by != w.attempt.Fault && !slices.Contains(w.predicted, by) })
	}
	for p, r := range e.core.Memory.Latest {
		if e.Book.Calm[p] {
			continue
		}
		asked, above := slices.Contains(w.askers, p), slices.Contains(w.above, p)
		for _, f := range r.Findings {
			ref := rules.On(f.Code, f.Subject)
			predicted := slices.Contains(w.predicted, ref)
			if !predicted && (!above || elsewhere[ref] || !e.Book.Ends(w.attempt.Fault, ref)) {
				continue
			}
			if !r.At.Before(w.since) {
				left = append(left, ref)
			}
			if predicted && !asked { // it found the same a little later
				w.askers, asked = append(w.askers, p), true
			}
		}
		switch late := r.At.Before(w.since); {
		case asked && (late || r.State == probes.Unknown), above && late,
			above && r.State == probes.Unknown && !slices.Contains(w.blind, p):
			missing = p
		}
	}
	return missing, left
}

// revertTime bounds putting back after a proof that failed.
const revertTime = 5 * time.Minute

// revert puts the plan back beside the loop; tookEffect hears of it.
func (e *Engine) revert(ctx context.Context) {
	w := e.work
	w.deadline, w.stuck = time.Time{}, e.Host.Now().Add(revertTime+stuckAfter)
	e.Log.Warn("proof failed, putting back", "code", string(w.attempt.Fault.Code), "remedy", w.attempt.Remedy)
	go func() {
		run, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertTime)
		defer cancel()
		t := task{e: e}
		e.applied <- t.revert(run, w.plan)
	}()
}

// end books the attempt.
func (e *Engine) end(o rules.Outcome, detail string) {
	w := e.work
	now := e.Host.Now()
	w.attempt.Ended, w.attempt.Outcome, w.attempt.Detail = now, o, detail
	e.Reached("outcome")
	a, id := w.attempt, w.id
	switch {
	case id == 0: // nothing was written down
	case o == rules.PutOff, o == rules.Outdated:
		e.scribe.write("outcome", func(l Ledger) error { return l.Forget(id) })
	default:
		e.scribe.write("outcome", func(l Ledger) error { return l.End(id, a) })
	}
	var healed []rules.Ref
	if o == rules.Healed {
		healed = w.predicted
	}
	e.core.End(now, a, healed, w.since)
	e.record.tried(now, a, healed, w.since, w.steps)
	e.history.count(a)
	e.work = nil
	e.dirty = true
	for id, calm := range e.Book.Calm {
		if calm {
			e.schedule.hasten(id, now)
		}
	}
	e.Log.Info("attempt ended", "code", string(a.Fault.Code), "subject", a.Fault.Subject,
		"remedy", a.Remedy, "outcome", string(o), "detail", detail,
		"after", now.Sub(a.At).Round(time.Millisecond).String(), "since_onset", now.Sub(a.Seen).Round(time.Millisecond).String())
}

// extend is how long the service manager is asked to wait at a time.
const extend = 30 * time.Second

// finish waits for the plan at work to be done or put back.
func (e *Engine) finish() error {
	e.Notify("STOPPING=1")
	if e.work == nil || e.work.proving && !e.work.deadline.IsZero() {
		return nil
	}
	e.Log.Info("waiting for the remedy at work", "remedy", e.work.attempt.Remedy)
	for {
		e.Notify(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d\nWATCHDOG=1", (extend).Microseconds()))
		select {
		case a := <-e.applied:
			reverting := e.work.proving
			e.tookEffect(a)
			if !reverting && e.work != nil {
				e.end(rules.Cut, "applied; the daemon ended before its proof")
			}
			return nil
		case <-time.After(keepAlive):
			if err := e.overdue(); err != nil {
				return err
			}
		}
	}
}
