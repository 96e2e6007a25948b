package rules

import (
	"maps"
	"slices"
	"time"

	"watchdog/probes"
)

// A Sighting is how one fault has been seen without a break.
type Sighting struct {
	// First and Began are when the first and the newest look that saw it began,
	// Last is when the newest one was done: a hung target takes its time.
	First, Began, Last time.Time
	Looks              int // how many looks saw it
	// Cause is since when it has stood as a cause: a symptom's time does not
	// count for what has to last.
	Cause time.Time
	// Followed says that it has been the symptom of a fault that it ends with.
	Followed bool
}

// A Memory is what is known of the past.
type Memory struct {
	Sightings map[Ref]Sighting
	// Onsets are when each fault appeared the last few times, oldest first.
	Onsets map[Ref][]time.Time
	// Latest holds each probe's newest result; its At says when that look began.
	Latest map[string]probes.Result
	// Attempts are in the order they were made.
	Attempts []Attempt
	// Healed is when the remedy that healed a fault had been applied.
	Healed map[Ref]time.Time
	// Held is when a hold was last in force, Holding whether one was at the
	// newest turn. What was seen under it is looked at again: a person was at
	// work.
	Held    time.Time
	Holding bool
	// Worked is when a remedy was last at work.
	Worked time.Time
	// Healing is the fault whose remedy is being applied or proved, if any.
	Healing *Ref
	// Booted is when the host came up; Ready says that all has been well since
	// this program started.
	Booted time.Time
	Ready  bool
}

// NewMemory makes an empty one that remembers the attempts of earlier runs.
func NewMemory(attempts []Attempt) Memory {
	return Memory{
		Sightings: map[Ref]Sighting{}, Onsets: map[Ref][]time.Time{},
		Latest: map[string]probes.Result{}, Healed: map[Ref]time.Time{}, Attempts: attempts,
	}
}

// Looked is when the newest look of a probe began; zero for one that has not
// looked yet.
func (m *Memory) Looked(probe string) time.Time { return m.Latest[probe].At }

// A Seen is what one result changed in the memory.
type Seen struct {
	// Changed reports whether the probe's answer is another one than before.
	Changed bool
	// New and Gone are the faults that appeared and that no result bears out
	// any more.
	New  []Ref
	Gone []Gone
	// Again says that the probe has to look once more: what it saw had been
	// healed, or was being healed, while it looked.
	Again bool
	// Confirm says that it has to look once more soon, to confirm what it found.
	Confirm bool
}

// A Gone is a fault that is there no more.
type Gone struct {
	Fault  Ref
	Lasted time.Duration
}

// See books one look. It allocates nothing when the answer is the one of before.
func (m *Memory) See(now time.Time, b *Book, r probes.Result) (s Seen) {
	if b.Calm[r.Probe] && (m.Healing != nil || r.At.Before(m.Worked)) {
		s.Again = m.Healing == nil // else at its end
		return s
	}
	s.Again = m.outdated(&r)
	before, known := m.Latest[r.Probe]
	m.Latest[r.Probe] = r
	s.Changed = !known || !same(before, r)
	for _, f := range r.Findings {
		ref := On(f.Code, f.Subject)
		sighting, known := m.Sightings[ref]
		if !known {
			sighting.First = r.At
			m.onset(ref, now)
			s.New = append(s.New, ref)
		}
		sighting.Began, sighting.Last = r.At, now
		sighting.Looks++
		m.Sightings[ref] = sighting
		s.Confirm = s.Confirm || sighting.Looks < b.Rules[f.Code].looks()
	}
	if s.Changed && len(m.Sightings) > 0 || before.State == probes.Unknown {
		s.Gone = m.forget(now, b)
	}
	return s
}

// same reports whether two answers of a probe say the same.
func same(a, b probes.Result) bool {
	if a.State != b.State || len(a.Findings) != len(b.Findings) {
		return false
	}
	for i, f := range a.Findings {
		g := b.Findings[i]
		if f.Code != g.Code || f.Subject != g.Subject || f.Summary != g.Summary || f.Awaits != g.Awaits || !slices.Equal(f.Evidence, g.Evidence) {
			return false
		}
	}
	return true
}

// outdated takes from a result what was healed after its look began, and reports
// whether there was any: a slow look must not raise again what is gone.
func (m *Memory) outdated(r *probes.Result) bool {
	old := func(f probes.Finding) bool { return r.At.Before(m.Healed[On(f.Code, f.Subject)]) }
	if !slices.ContainsFunc(r.Findings, old) {
		return false
	}
	r.Findings = slices.DeleteFunc(slices.Clone(r.Findings), old)
	if len(r.Findings) == 0 {
		r.State, r.Err = probes.Unknown, errOutdated
	}
	return true
}

// remembered is how long a fault stands that nobody can look at any more: a
// target that errs and hangs by turns has one fault, not many.
const remembered = time.Minute

// forget drops the sightings that no newest result bears out.
func (m *Memory) forget(now time.Time, b *Book) (gone []Gone) {
	for ref, s := range m.Sightings {
		if m.found(ref) || m.blindTo(b, ref) && now.Sub(s.Last) < remembered {
			continue
		}
		delete(m.Sightings, ref)
		gone = append(gone, Gone{ref, s.Last.Sub(s.First)})
	}
	return gone
}

// found reports whether the newest result of some probe has the fault.
func (m *Memory) found(ref Ref) bool {
	for _, r := range m.Latest {
		for _, f := range r.Findings {
			if f.Code == ref.Code && f.Subject == ref.Subject {
				return true
			}
		}
	}
	return false
}

// blindTo reports whether a probe that tells of the fault could not look.
func (m *Memory) blindTo(b *Book, ref Ref) bool {
	for _, p := range b.Tells[ref.Code] {
		if m.Latest[p].State == probes.Unknown {
			return true
		}
	}
	return false
}

// onsetsKept bounds what is remembered of a fault's comings.
const onsetsKept = 8

func (m *Memory) onset(ref Ref, now time.Time) {
	times := append(m.Onsets[ref], now)
	m.Onsets[ref] = times[max(0, len(times)-onsetsKept):]
}

// stand notes since when each fault has stood as a cause.
func (m *Memory) stand(now time.Time, ds []Diagnosis) {
	for _, d := range ds {
		s, ok := m.Sightings[d.Fault]
		switch {
		case !ok:
			continue
		case d.Verdict != Cause:
			s.Cause = time.Time{}
			s.Followed = s.Followed || d.Verdict == Symptom && len(d.By) > len(d.Outlasts)
		case s.Cause.IsZero():
			s.Cause = now
		}
		m.Sightings[d.Fault] = s
	}
}

// attemptsKept is how long attempts are remembered: longer than any budget.
const attemptsKept = 24 * time.Hour

// tried books an attempt that has ended. While it is put off again and again
// only the newest time is kept.
func (m *Memory) tried(now time.Time, a Attempt) {
	m.Attempts = slices.DeleteFunc(m.Attempts, func(old Attempt) bool {
		return now.Sub(old.At) > attemptsKept || a.Outcome.idle() && old.Outcome == a.Outcome && old.Fault == a.Fault
	})
	m.Attempts = append(m.Attempts, a)
	maps.DeleteFunc(m.Healed, func(_ Ref, at time.Time) bool { return now.Sub(at) > attemptsKept })
	maps.DeleteFunc(m.Onsets, func(_ Ref, times []time.Time) bool { return now.Sub(times[len(times)-1]) > attemptsKept })
}
