package rules

import (
	"fmt"
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

// A Memory is what Decide knows of the past.
type Memory struct {
	Sightings map[Ref]Sighting
	// Looked says when each probe's newest look began.
	Looked map[string]time.Time
	// Attempts are in the order they were made.
	Attempts []Attempt
	// Held is when a hold was last in force. What was seen under it is looked
	// at again: a person was at work.
	Held time.Time
	// Healing is the fault whose remedy is being applied or proved, if any.
	Healing *Ref
}

// A Policy is what the site and the people at work allow.
type Policy struct {
	Mode  Mode
	Modes map[probes.Code]Mode
	// Hold, when not empty, says why nothing at all may be done: the kill
	// switch, a pause, a package manager at work.
	Hold string
}

// ModeOf returns the mode a rule has under the policy: the tightest of the
// book's, the site's, and the site's for this code.
func (p Policy) ModeOf(r Rule) Mode {
	m := r.Mode.Tighter(p.Mode).Tighter(p.Modes[r.Code])
	if m == "" {
		return Auto
	}
	return m
}

// A Kind of action.
type Kind string

// Kinds of action. There is exactly one for each diagnosis.
const (
	Heal   Kind = "heal"    // apply Remedy now
	Wait   Kind = "wait"    // not yet: Reason says for what
	Hold   Kind = "hold"    // not allowed now: Reason says by what
	Asking Kind = "ask"     // a person is to approve Remedy
	Report Kind = "report"  // a person is to do it: there is no remedy from here
	GaveUp Kind = "gave up" // the budget is spent
	Follow Kind = "follow"  // a symptom: its cause is dealt with
)

// An Action is what is to be done about one diagnosis, and why.
type Action struct {
	Kind   Kind   `json:"kind"`
	Fault  Ref    `json:"fault"`
	Remedy string `json:"remedy,omitempty"`
	Rung   int    `json:"rung,omitempty"`
	Reason string `json:"reason"`
	// Until is when a Wait is over, if time alone ends it.
	Until time.Time `json:"until,omitzero"`
	// Look lists the probes that have to look before anything can be decided.
	Look []string `json:"-"`
}

// Defaults of a rule that leaves them out.
const (
	defaultConfirm = 2
	// fresh is how old the newest sight of a fault may be to act on it: after
	// a pause or a wait it may be gone.
	fresh = 2 * time.Second
	// relapse is how long a healed fault must stay away for its remedy to
	// count as having worked; sooner back, the next rung is tried.
	relapse = 30 * time.Second
	// backoffBase doubles with every attempt that did not help.
	backoffBase = 2 * time.Second
	backoffMost = 5 * time.Minute
	// putOffPace is how often it is tried while somebody else changes the host.
	putOffPace = 5 * time.Second
	// settling is how long what depends on a fault is left alone once that is
	// gone.
	settling = 5 * time.Second
)

var defaultBudget = Budget{Attempts: 6, Within: 15 * time.Minute}

// Decide says what is to be done about each diagnosis, in their order. It is a
// pure function. At most one action is [Heal]: remedies run one at a time, so
// that each one's proof is its own.
func Decide(now time.Time, b Book, ds []Diagnosis, m Memory, p Policy) []Action {
	out := make([]Action, len(ds))
	busy := m.Healing != nil
	for _, door := range []bool{true, false} { // doors are closed first
		for i, d := range ds {
			if d.Rule.Door != door {
				continue
			}
			out[i] = decide(now, b, d, m, p)
			if out[i].Kind != Heal {
				continue
			}
			if busy {
				out[i].Kind, out[i].Reason = Wait, "another remedy is at work"
			}
			busy = true
		}
	}
	return out
}

func decide(now time.Time, b Book, d Diagnosis, m Memory, p Policy) Action {
	a := Action{Fault: d.Fault}
	set := func(k Kind, format string, args ...any) Action {
		a.Kind, a.Reason = k, fmt.Sprintf(format, args...)
		return a
	}
	switch {
	case d.Verdict == Symptom:
		return set(Follow, "a symptom of %s", d.By[0])
	case d.Verdict == Undecided:
		return set(Wait, "waits to see %s", d.Unseen[0])
	case len(d.Rule.Remedies) == 0:
		return set(Report, "a person has to do it")
	case p.ModeOf(d.Rule) == Observe:
		return set(Report, "its mode is observe")
	case d.Finding.Awaits != "":
		return set(Report, "nothing helps before %s", d.Finding.Awaits)
	}
	tried := made(now, d, m.Attempts)
	a.Rung = rung(m.Sightings[d.Fault].First, tried)
	a.Remedy = d.Rule.Remedy(a.Rung, d.Fault.Subject)
	if p.Hold != "" {
		return set(Hold, "%s", p.Hold)
	}
	if m.Sightings[d.Fault].Began.Before(m.Held) {
		a.Look = d.Probes
		return set(Wait, "looks again, after the hold")
	}
	if !d.Rule.Door {
		if reason, until, look := confirmed(now, b, d, m); reason != "" {
			a.Until, a.Look = until, look
			return set(Wait, "%s", reason)
		}
	}
	if n, budget := len(tried), d.Rule.budget(); n >= budget.Attempts {
		return set(GaveUp, "%d attempts within %s did not last; a person has to look", n, budget.Within)
	}
	if until := backoff(now, d, m.Attempts, tried); now.Before(until) {
		a.Until = until
		return set(Wait, "backs off after the last attempt")
	}
	if p.ModeOf(d.Rule) == Ask {
		return set(Asking, "waits for approval")
	}
	return set(Heal, "confirmed")
}

// confirmed returns why a fault is not yet certain enough to act on, until when
// if time alone will tell, and who has to look first; an empty reason when it is
// certain.
func confirmed(now time.Time, b Book, d Diagnosis, m Memory) (reason string, until time.Time, look []string) {
	s := m.Sightings[d.Fault]
	if want := d.Rule.confirm(); s.Looks < want {
		return fmt.Sprintf("seen %d of %d times", s.Looks, want), time.Time{}, nil
	}
	if ready := s.Cause.Add(d.Rule.For); now.Before(ready) {
		return fmt.Sprintf("has to last %s", d.Rule.For), ready, nil
	}
	if now.Sub(s.Last) > fresh {
		return "looks again first", time.Time{}, d.Probes
	}
	if until := aftermathOf(b, d, m.Attempts); now.Before(until) {
		return "its cause was healed a moment ago", until, nil
	}
	// By a person's hand, perhaps, who is still at it.
	if until := s.Cause.Add(settling); s.Followed && now.Before(until) {
		return "what explained it went a moment ago", until, nil
	}
	for _, p := range b.Beneath(d.Fault) {
		if m.Looked[p].Before(s.First) { // never, counts as before
			look = append(look, p)
		}
	}
	if len(look) > 0 {
		return "looks beneath it first: " + look[0], time.Time{}, look
	}
	return "", time.Time{}, nil
}

// Stand notes since when each fault has stood as a cause. The engine calls it
// between Diagnose and Decide.
func (m Memory) Stand(now time.Time, ds []Diagnosis) {
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

// closure returns all that can explain a fault, directly or by others, along the
// edges that may says.
func (b Book) closure(fault Ref, may func(Ref) bool) map[Ref]bool {
	visited := map[Ref]bool{}
	var down func(Ref)
	down = func(at Ref) {
		for _, e := range b.edges(at) {
			if to := plain(e); may(e) && !visited[to] && to != fault {
				visited[to] = true
				down(to)
			}
		}
	}
	down(fault)
	return visited
}

// Beneath returns the probes that tell of what can explain a fault: they are
// asked again before anything is done about it, or a symptom that was seen
// first would pass for a cause.
func (b Book) Beneath(fault Ref) []string {
	var out []string
	for e := range b.closure(fault, Ref.any) {
		out = append(out, b.Tells[e.Code]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Remedy returns the remedy's ID on a rung of the ladder, the last one for any
// rung beyond it.
func (r Rule) Remedy(rung int, subject string) string {
	return fill(r.Remedies[min(rung, len(r.Remedies)-1)], subject)
}

func (r Rule) confirm() int {
	if r.Confirm == 0 {
		return defaultConfirm
	}
	return r.Confirm
}

func (r Rule) budget() Budget {
	if r.Budget == (Budget{}) {
		return defaultBudget
	}
	return r.Budget
}
