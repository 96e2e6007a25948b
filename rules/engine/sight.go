package engine

import (
	"errors"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// take books one result: sightings, statistics, and who has to look again.
func (e *Engine) take(r probes.Result) {
	now := e.Host.Now()
	if e.outdated(&r) {
		e.schedule.after(r.Probe, now)
	}
	before, seenBefore := e.latest[r.Probe]
	e.latest[r.Probe] = r
	e.memory.Looked[r.Probe] = r.At
	e.schedule.done(r.Probe, now, r.State == probes.OK)
	e.stats[r.Probe].count(r, now, !seenBefore || before.State != r.State)
	e.dirty = true
	e.sight(r)
	if seenBefore && before.State == probes.Failing {
		e.forget()
	}
}

// outdated takes from a result what was healed after its look began, and reports
// whether there was any: a slow look must not raise again what is gone.
func (e *Engine) outdated(r *probes.Result) bool {
	kept := slices.DeleteFunc(slices.Clone(r.Findings), func(f probes.Finding) bool {
		return r.At.Before(e.healed[rules.On(f.Code, f.Subject)])
	})
	if len(kept) == len(r.Findings) {
		return false
	}
	r.Findings = kept
	if len(kept) == 0 {
		r.State, r.Err = probes.Unknown, errOutdated
	}
	return true
}

// errOutdated is the answer of a look that began before its fault was healed.
var errOutdated = errors.New("looks again: what it saw was healed meanwhile")

// recheck is how soon a finding is looked at again to confirm it.
const recheck = 250 * time.Millisecond

// sight counts the looks that see a fault. A new one is looked at again at once,
// and so is everything beneath it.
func (e *Engine) sight(r probes.Result) {
	now := e.Host.Now()
	for _, f := range r.Findings {
		ref := rules.On(f.Code, f.Subject)
		s, known := e.memory.Sightings[ref]
		if !known {
			s.First = r.At
			e.Log.Warn("fault seen", "code", string(f.Code), "subject", f.Subject, "probe", r.Probe, "summary", f.Summary)
			for _, p := range e.Book.Beneath(ref) {
				e.schedule.hasten(p, now)
			}
		}
		s.Began, s.Last = r.At, now
		s.Looks++
		e.memory.Sightings[ref] = s
		if s.Looks < 3 {
			e.schedule.hasten(r.Probe, now.Add(recheck))
		}
	}
}

// remembered is how long a fault stands that nobody can look at any more: a
// target that errs and hangs by turns has one fault, not many.
const remembered = time.Minute

// blindTo reports whether a probe that tells of the fault could not look.
func (e *Engine) blindTo(ref rules.Ref) bool {
	return slices.ContainsFunc(e.Book.Tells[ref.Code], func(p string) bool { return e.latest[p].State == probes.Unknown })
}

// forget drops the sightings that no newest result bears out.
func (e *Engine) forget() {
	now := map[rules.Ref]bool{}
	for _, r := range e.latest {
		for _, f := range r.Findings {
			now[rules.On(f.Code, f.Subject)] = true
		}
	}
	for ref, s := range e.memory.Sightings {
		if now[ref] || e.blindTo(ref) && e.Host.Now().Sub(s.Last) < remembered {
			continue
		}
		delete(e.memory.Sightings, ref)
		e.Log.Info("fault gone", "code", string(ref.Code), "subject", ref.Subject, "lasted", s.Last.Sub(s.First).String())
	}
}
