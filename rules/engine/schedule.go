package engine

import (
	"time"

	"watchdog/probes"
)

// A schedule says when each probe looks next. Probes are due on a common grid,
// so those of one period fall on one instant: waking up and cold caches cost
// more than the looking (three times, at our pace).
type schedule struct {
	entries map[string]*entry
	order   []string
}

type entry struct {
	probe   probes.Probe
	every   time.Duration
	next    time.Time
	running bool
	again   time.Time // wanted after the look that is due or under way
	unwell  int       // looks in a row that did not find all well
}

func newSchedule(ps []probes.Probe, now time.Time) schedule {
	s := schedule{entries: make(map[string]*entry, len(ps))}
	for _, p := range ps {
		spec := p.Spec()
		s.entries[spec.ID] = &entry{probe: p, every: spec.Every, next: now}
		s.order = append(s.order, spec.ID)
	}
	return s
}

// due returns the probes whose time has come and marks them as running. late, when
// not nil, hears by how much each is behind its time.
func (s schedule) due(now time.Time, late func(time.Duration)) []probes.Probe {
	var out []probes.Probe
	for _, id := range s.order {
		e := s.entries[id]
		// Further off than the probe's period: the clock was set back.
		if e.running || now.Before(e.next) && e.next.Sub(now) <= e.every {
			continue
		}
		e.running = true
		out = append(out, e.probe)
		if late != nil {
			late(max(0, now.Sub(e.next)))
		}
	}
	return out
}

// retry is how soon a probe looks again that could not look, or found something
// wrong: people wait for its word that all is well. It doubles, up to the
// probe's own period.
const retry = 2 * time.Second

// done puts a probe back on the grid after its look.
func (s schedule) done(id string, now time.Time, well bool) {
	e := s.entries[id]
	e.running = false
	e.next = now.Truncate(e.every).Add(e.every)
	if well {
		e.unwell = 0
	} else if wait := retry << min(e.unwell, 10); wait < e.next.Sub(now) {
		e.next = now.Add(wait)
		e.unwell++
	}
	if !e.again.IsZero() && e.again.Before(e.next) {
		e.next = e.again
	}
	if e.next.Before(now) { // wanted while it was looking: it can't be earlier
		e.next = now
	}
	e.again = time.Time{}
}

// hasten makes a probe due at t if it would be later. One that is looking right
// now looks again after: what it sees may be from before.
func (s schedule) hasten(id string, t time.Time) {
	e := s.entries[id]
	if e == nil {
		return
	}
	if e.running {
		s.after(id, t)
		return
	}
	if t.Before(e.next) {
		e.next = t
	}
}

// after makes a probe due at t once its next look is done, if it would be later.
func (s schedule) after(id string, t time.Time) {
	e := s.entries[id]
	if e != nil && (e.again.IsZero() || t.Before(e.again)) {
		e.again = t
	}
}

// next is the earliest time at which a probe is due.
func (s schedule) next(now time.Time) time.Time {
	var next time.Time
	for _, e := range s.entries {
		if !e.running && (next.IsZero() || e.next.Before(next)) {
			next = e.next
		}
	}
	if next.IsZero() { // all are looking: a result will wake the loop
		return now.Add(keepAlive)
	}
	return next
}
