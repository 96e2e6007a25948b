package rules

import (
	"fmt"
	"slices"
	"time"
)

// A Kind of action.
type Kind string

// Kinds of action. There is exactly one for each diagnosis.
const (
	Heal   Kind = "heal"    // apply Remedy now
	Wait   Kind = "wait"    // not yet: Reason says for what
	Hold   Kind = "hold"    // not allowed now: Reason says by what
	Asking Kind = "ask"     // a person is to approve Remedy
	Report Kind = "report"  // a person is to do it: there is no remedy from here
	GaveUp Kind = "gave up" // for now: Until says when it is tried again
	Follow Kind = "follow"  // a symptom: its cause is dealt with
)

// An Action is what is to be done about one diagnosis, and why.
type Action struct {
	Kind   Kind   `json:"kind"`
	Fault  Ref    `json:"fault"`
	Remedy string `json:"remedy,omitempty"`
	Rung   int    `json:"rung,omitempty"`
	Reason string `json:"reason"`
	// Rail names the guard rail that says so, if one does.
	Rail string `json:"rail,omitempty"`
	// Until is when a Wait is over, if time alone ends it.
	Until time.Time `json:"until,omitzero"`
	// Plan is the hash of the one plan that a person approved.
	Plan string `json:"plan,omitempty"`
	// Look lists the probes that have to look before anything can be decided.
	Look []string `json:"-"`
}

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
			out[i] = decide(now, &b, ds, d, &m, p)
			if out[i].Kind != Heal {
				continue
			}
			if busy {
				out[i].Kind, out[i].Reason = Wait, "another remedy is at work"
			}
			if m.Healing != nil && *m.Healing == d.Fault {
				out[i].Reason = "its remedy is at work"
			}
			busy = true
		}
	}
	return out
}

// decide judges one diagnosis: whose business it is, and if it is ours, whether
// every guard rail lets it pass.
func decide(now time.Time, b *Book, ds []Diagnosis, d Diagnosis, m *Memory, p Policy) Action {
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
	q := question{now: now, book: b, all: ds, d: d, m: m, p: p, tried: made(now, d, m.Attempts, p.Resumed)}
	a.Rung = rung(m.Sightings[d.Fault].First, q.tried)
	a.Remedy = d.Rule.Remedy(a.Rung, d.Fault.Subject)
	cure, known := b.Cures[a.Remedy]
	if !known && len(b.Cures) > 0 { // of another version, or one that the daemon leaves to install
		return set(Report, "the daemon does not run %s: a person has to do it", a.Remedy)
	}
	q.cure = cure
	for _, r := range rails {
		if !r.binds(d.Rule) {
			continue
		}
		if say := r.ask(q); say.kind != "" {
			a.Kind, a.Reason, a.Until, a.Look, a.Rail = say.kind, say.reason, say.until, say.look, r.name
			return a
		}
	}
	if q.asks() {
		a.Plan = p.Approved[d.Fault].Plan
	}
	return set(Heal, "confirmed")
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

// Above returns the probes that tell of what can end with a fault: whether its
// users are served is seen there.
func (b Book) Above(fault Ref) []string {
	var out []string
	for code, r := range b.Rules {
		if r.OfRemedy {
			continue
		}
		candidates := []Ref{On(code, "")}
		for _, e := range r.DependsOn {
			if e.When != "" {
				candidates = append(candidates, On(code, e.When))
			}
		}
		if slices.ContainsFunc(candidates, func(c Ref) bool { return b.Ends(fault, c) }) {
			out = append(out, b.Tells[code]...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Ends reports whether cause can explain fault, directly or by others, so that it
// ends with it.
func (b Book) Ends(cause, fault Ref) bool {
	below := b.closure(fault, Ref.ends)
	return below[cause] || below[On(cause.Code, "")]
}

// Remedy returns the remedy's ID on a rung of the ladder, the last one for any
// rung beyond it.
func (r Rule) Remedy(rung int, subject string) string {
	return fill(r.Remedies[min(rung, len(r.Remedies)-1)], subject)
}

// Defaults of a rule that leaves them out.
const defaultConfirm = 2

var defaultBudget = Budget{Attempts: 6, Within: 15 * time.Minute}

// Confirmation is how many looks in a row must see the fault before anything is
// done about it.
func (r Rule) Confirmation() int {
	if r.Door {
		return 1
	}
	if r.Confirm == 0 {
		return defaultConfirm
	}
	return r.Confirm
}

// looks is how many looks in a row are made quickly.
func (r Rule) looks() int { return max(3, r.Confirmation()) }

// Bounds are the rule's budget, the default one where it names none.
func (r Rule) Bounds() Budget {
	if r.Budget == (Budget{}) {
		return defaultBudget
	}
	return r.Budget
}
