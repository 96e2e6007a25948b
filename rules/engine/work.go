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
	plan      remedies.Plan

	proving  bool
	since    time.Time // when the plan had been applied
	deadline time.Time // of the proof
}

// applied is what came of applying or reverting a plan.
type applied struct {
	plan remedies.Plan
	err  error
}

// errNothing is what applying an empty plan comes to.
var errNothing = errors.New("nothing to do: what is wrong is not what this remedy changes")

// errNotNow is what an attempt comes to while somebody else changes the host.
var errNotNow = errors.New("not now")

// proofTime is how long a service's users may take to see it again, beyond the
// remedy's own time.
const proofTime = 45 * time.Second

// begin writes the intent down and starts the remedy beside the loop.
func (e *Engine) begin(ctx context.Context, a rules.Action, d rules.Diagnosis) {
	r := e.Remedy(a.Remedy)
	ending := e.ending(d)
	w := &work{
		attempt: rules.Attempt{
			Fault: a.Fault, Remedy: a.Remedy, Rung: a.Rung, Outcome: rules.Attempting,
			Seen: e.memory.Sightings[d.Fault].First, At: e.Host.Now(),
		},
		predicted: append([]rules.Ref{d.Fault}, ending...),
		askers:    e.askers(d, ending),
	}
	e.work = w
	e.dirty = true
	if err := e.intend(w, r); err != nil {
		e.end(rules.Failed, err.Error())
		return
	}
	e.Log.Info("healing", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "remedy", a.Remedy, "rung", a.Rung, "explains", len(d.Explains))
	// A plan at work outlives the daemon's own end: it is finished or put
	// back, within its time.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Spec().Timeout)
	go func() {
		defer cancel()
		plan, err := e.apply(run, r)
		e.applied <- applied{plan, err}
	}()
}

// intend writes the intent down. Where that is not possible only what costs
// little is done, and remembered in memory.
func (e *Engine) intend(w *work, r remedies.Remedy) error {
	if r == nil {
		return fmt.Errorf("there is no remedy %s on this host", w.attempt.Remedy)
	}
	if e.Ledger == nil {
		return nil
	}
	id, err := e.Ledger.Begin(w.attempt)
	if err != nil && r.Spec().Risk > remedies.Blip {
		return err
	}
	if err != nil {
		e.Log.Error("cannot write the intent down, remembered in memory only", "err", err.Error())
	}
	w.id = id
	return nil
}

// ending lists what a cause explains and what goes with it.
func (e *Engine) ending(d rules.Diagnosis) []rules.Ref {
	var out []rules.Ref
	for _, other := range e.diagnoses {
		if slices.Contains(d.Explains, other.Fault) && !slices.Contains(other.Outlasts, d.Fault) {
			out = append(out, other.Fault)
		}
	}
	return out
}

// askers lists the probes that found the cause or what ends with it.
func (e *Engine) askers(d rules.Diagnosis, ending []rules.Ref) []string {
	out := slices.Clone(d.Probes)
	for _, other := range e.diagnoses {
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

func (e *Engine) apply(ctx context.Context, r remedies.Remedy) (remedies.Plan, error) {
	unlock, err := e.Lock()
	if err != nil {
		return remedies.Plan{}, fmt.Errorf("%w: %w", errNotNow, err)
	}
	defer unlock()
	plan, err := e.Journal.Plan(ctx, r, e.Host)
	if err != nil {
		return plan, err
	}
	if plan.Empty() || plan.OnlyWaits() {
		return plan, errNothing
	}
	if hold := e.Policy().Hold; hold != "" { // planning may have taken seconds
		return plan, fmt.Errorf("%w: %s", errNotNow, hold)
	}
	return plan, e.Journal.Apply(ctx, plan, e.Hands, e.Host, steps{e})
}

// steps logs what a plan does.
type steps struct{ e *Engine }

func (s steps) Begin(what string) error { return nil }

func (s steps) End(what string, err error) {
	if err != nil {
		s.e.Log.Warn("step did not work", "step", what, "err", err.Error())
		return
	}
	s.e.Log.Info("step done", "step", what)
}

// tookEffect goes on to the proof, or ends the attempt.
func (e *Engine) tookEffect(a applied) {
	w := e.work
	switch {
	case w.proving: // the plan was being reverted
		if a.err != nil {
			e.Log.Error("put back", "remedy", w.attempt.Remedy, "err", a.err.Error())
		}
		e.end(rules.Unproved, "the fault stayed; put back what was changed")
	case errors.Is(a.err, errNothing):
		e.end(rules.Unneeded, a.err.Error())
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
	for _, p := range e.work.askers {
		e.schedule.hasten(p, t)
	}
}

// reprove is how often the proof is asked for while it is not there.
const reprove = 500 * time.Millisecond

// prove judges the remedy at work: healed when everything predicted is gone by
// looks that began after it was applied.
func (e *Engine) prove(ctx context.Context) {
	w := e.work
	if w == nil || !w.proving || w.deadline.IsZero() {
		return
	}
	now := e.Host.Now()
	fresh := true
	var left []rules.Ref
	for p, r := range e.latest {
		asked := slices.Contains(w.askers, p)
		for _, f := range r.Findings {
			if ref := rules.On(f.Code, f.Subject); slices.Contains(w.predicted, ref) {
				if !r.At.Before(w.since) {
					left = append(left, ref)
				}
				if !asked { // it found the same a little later
					w.askers, asked = append(w.askers, p), true
				}
			}
		}
		if asked && (r.At.Before(w.since) || r.State == probes.Unknown) {
			fresh = false
		}
	}
	switch {
	case fresh && len(left) == 0:
		for _, ref := range w.predicted {
			e.healed[ref] = w.since
		}
		e.end(rules.Healed, "")
	case now.Before(w.deadline):
		e.ask(now.Add(reprove))
	case slices.Contains(left, w.attempt.Fault) && len(w.plan.Edits) > 0:
		if hold := e.Policy().Hold; hold != "" {
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
		e.end(rules.Unclear, "could not look again in time")
	}
}

// revert puts the plan back beside the loop; tookEffect hears of it.
func (e *Engine) revert(ctx context.Context) {
	w := e.work
	w.deadline = time.Time{}
	e.Log.Warn("proof failed, putting back", "code", string(w.attempt.Fault.Code), "remedy", w.attempt.Remedy)
	go func() {
		run, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		unlock, err := e.Lock()
		if err == nil {
			err = e.Journal.Revert(run, w.plan, e.Hands, e.Host, steps{e})
			unlock()
		}
		e.applied <- applied{err: err}
	}()
}

// end books the attempt.
func (e *Engine) end(o rules.Outcome, detail string) {
	w := e.work
	now := e.Host.Now()
	w.attempt.Ended, w.attempt.Outcome, w.attempt.Detail = now, o, detail
	if e.Ledger != nil && w.id != 0 {
		if err := e.Ledger.End(w.id, w.attempt); err != nil {
			e.Log.Error("cannot write the outcome down", "err", err.Error())
		}
	}
	e.memory.Attempts = append(e.memory.Attempts, w.attempt)
	e.history.count(w.attempt)
	e.work = nil
	e.dirty = true
	e.Log.Info("attempt ended", "code", string(w.attempt.Fault.Code), "subject", w.attempt.Fault.Subject,
		"remedy", w.attempt.Remedy, "outcome", string(o), "detail", detail,
		"after", now.Sub(w.attempt.At).Round(time.Millisecond).String(), "since_onset", now.Sub(w.attempt.Seen).Round(time.Millisecond).String())
}

// finish waits for the plan at work to be done or put back.
func (e *Engine) finish() error {
	e.Notify("STOPPING=1")
	if e.work == nil || e.work.proving && !e.work.deadline.IsZero() {
		return nil
	}
	e.Log.Info("waiting for the remedy at work", "remedy", e.work.attempt.Remedy)
	a := <-e.applied
	reverting := e.work.proving
	e.tookEffect(a)
	if !reverting && e.work != nil {
		e.end(rules.Cut, "applied; the daemon ended before its proof")
	}
	return nil
}
