package rules

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// An Outcome is what became of an attempt.
type Outcome string

// Outcomes of an attempt. Running stands while it is under way, and after a
// crash until the next start marks it as cut short: the fault is then looked at
// anew, and the journal finishes what its remedy had left undone.
const (
	Attempting Outcome = "running"
	Healed     Outcome = "healed"
	Failed     Outcome = "failed"    // the plan could not be applied, and was put back
	Unproved   Outcome = "unproved"  // it was applied, and the fault stayed: its edits are put back
	Unneeded   Outcome = "unneeded"  // the remedy found nothing to do
	PutOff     Outcome = "put off"   // somebody else was changing the host: nothing was done
	Outdated   Outcome = "outdated"  // the plan that was approved is another one by now: nothing was done
	Unclear    Outcome = "unclear"   // applied, and it could not be seen whether it helped
	Cut        Outcome = "cut short" // the daemon ended in the middle
)

// idle reports whether nothing was done, so that no budget is touched.
func (o Outcome) idle() bool { return o == PutOff || o == Outdated }

// An Attempt is one run of a remedy against a fault.
type Attempt struct {
	Fault   Ref       `json:"fault"`
	Remedy  string    `json:"remedy"`
	Rung    int       `json:"rung"`
	Seen    time.Time `json:"seen"` // the fault's first sighting
	At      time.Time `json:"at"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome Outcome   `json:"outcome"`
	Detail  string    `json:"detail,omitempty"`
	// Explains are the symptoms that were to go with the fault: written down
	// before anything is done.
	Explains []Ref `json:"explains,omitempty"`
}

// made returns the attempts that were really made against d's fault within its
// budget's time, oldest first.
func made(now time.Time, d Diagnosis, past []Attempt, resumed time.Time) []Attempt {
	var out []Attempt
	for _, a := range past {
		if a.Fault == d.Fault && !a.Outcome.idle() && a.counts(now, d.Rule.Bounds().Within, resumed) {
			out = append(out, a)
		}
	}
	return out
}

// counts reports whether an attempt is one of the time that a budget speaks of:
// not older, not from before a person said that it may go on. One from the
// future was made before the clock was set back, and tells nothing.
func (a Attempt) counts(now time.Time, within time.Duration, resumed time.Time) bool {
	return !a.At.After(now) && now.Sub(a.At) < within && a.At.After(resumed)
}

// relapse is how long a healed fault must stay away for its remedy to count as
// having worked; sooner back, the next rung is tried.
const relapse = 30 * time.Second

// rung counts the attempts in a row that did not help, given that the fault is
// there again since first.
func rung(first time.Time, tried []Attempt) int {
	n := 0
	for i := len(tried) - 1; i >= 0 && tried[i].wasted(first); i-- {
		n++
	}
	return n
}

// wasted reports whether the attempt did not help, given that its fault has been
// seen again since first.
func (a Attempt) wasted(first time.Time) bool {
	switch a.Outcome {
	case Failed, Unproved, Unneeded:
		return true
	case Healed:
		return first.Sub(a.Ended) < relapse
	}
	return false
}

const (
	// backoffBase doubles with every attempt that did not help.
	backoffBase = 2 * time.Second
	backoffMost = 5 * time.Minute
	// putOffPace is how often it is tried while somebody else changes the host.
	putOffPace = 5 * time.Second
	// settling is how long what depends on a fault is left alone once that is
	// gone.
	settling = 5 * time.Second
)

// backoff returns when the next attempt may be made, and why not before:
// exponential, with jitter that is a function of the attempt, so that Decide
// stays pure and two hosts still differ. What was put off is tried again at an
// even pace.
func backoff(q question) (time.Time, string) {
	for _, a := range slices.Backward(q.m.Attempts) {
		if a.Fault != q.d.Fault || a.At.After(q.now) {
			continue
		}
		if a.Outcome == PutOff {
			return a.Ended.Add(putOffPace), "put off: " + a.Detail
		}
		break
	}
	if len(q.tried) == 0 {
		return time.Time{}, ""
	}
	last := q.tried[len(q.tried)-1]
	if last.Ended.IsZero() || last.Outcome == Healed || last.Outcome == Cut {
		return time.Time{}, ""
	}
	wait := min(backoffBase<<min(len(q.tried)-1, 16), backoffMost)
	h := fnv.New32a()
	fmt.Fprint(h, last.Fault, last.At.UnixNano())
	jitter := time.Duration(h.Sum32()%1000) * wait / 4000
	return last.Ended.Add(wait + jitter), fmt.Sprintf("backs off: the last attempt %s", last.Outcome)
}

// aftermathOf returns until when a fault is left alone because something that it
// may end with has just been healed: its users take a moment to notice.
func aftermathOf(q question) time.Time {
	var until time.Time
	var beneath map[Ref]bool
	for _, a := range slices.Backward(q.m.Attempts) {
		if q.now.Sub(a.Ended) > settling {
			break
		}
		if a.Outcome != Healed || a.Fault == q.d.Fault {
			continue
		}
		if beneath == nil {
			beneath = q.book.closure(q.d.Fault, Ref.ends)
		}
		if end := a.Ended.Add(settling); end.After(until) && (beneath[a.Fault] || beneath[On(a.Fault.Code, "")]) {
			until = end
		}
	}
	return until
}
