package engine

import (
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// recheck is how soon a finding is looked at again to confirm it.
const recheck = 250 * time.Millisecond

// awaiting is how often a fault is looked at that awaits somebody else's hand: what
// that does raises no event, as a rule.
const awaiting = 5 * time.Second

// take books one result: statistics, what it changes for the core, and who has
// to look again.
func (e *Engine) take(r probes.Result) {
	now := e.Host.Now()
	before, known := e.core.Memory.Latest[r.Probe]
	seen := e.core.See(now, r)
	e.record.look(now, r, seen)
	e.schedule.done(r.Probe, now, r.State == probes.OK)
	e.stats[r.Probe].count(r, now, !known || before.State != r.State)
	e.dirty = e.dirty || seen.Changed
	if seen.Again {
		e.schedule.after(r.Probe, now)
	}
	if seen.Confirm {
		e.schedule.hasten(r.Probe, now.Add(recheck))
	}
	if slices.ContainsFunc(r.Findings, func(f probes.Finding) bool { return f.Awaits != "" }) {
		e.schedule.hasten(r.Probe, now.Add(awaiting))
	}
	for _, ref := range seen.New {
		e.Log.Warn("fault seen", "code", string(ref.Code), "subject", ref.Subject, "probe", r.Probe, "summary", summaryOf(r, ref))
		for _, p := range e.Book.Beneath(ref) {
			e.schedule.hasten(p, now)
		}
	}
	for _, g := range seen.Gone {
		e.Log.Info("fault gone", "code", string(g.Fault.Code), "subject", g.Fault.Subject, "lasted", g.Lasted.Round(time.Millisecond).String())
	}
}

func summaryOf(r probes.Result, ref rules.Ref) string {
	for _, f := range r.Findings {
		if rules.On(f.Code, f.Subject) == ref {
			return f.Summary
		}
	}
	return ""
}
