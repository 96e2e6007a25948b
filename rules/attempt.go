package rules

import (
	"fmt"
	"hash/fnv"
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
	Unclear    Outcome = "unclear"   // applied, and it could not be seen whether it helped
	Cut        Outcome = "cut short" // the daemon ended in the middle
)

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
}

// made returns the attempts that were really made against d's fault within its
// budget's time, oldest first. One from the future was made before the clock
// was set back, and tells nothing.
func made(now time.Time, d Diagnosis, past []Attempt) []Attempt {
	var out []Attempt
	for _, a := range past {
		if a.Fault == d.Fault && a.Outcome != PutOff && !a.At.After(now) && now.Sub(a.At) < d.Rule.budget().Within {
			out = append(out, a)
		}
	}
	return out
}

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

// backoff returns when the next attempt may be made: exponential, with jitter
// that is a function of the attempt, so that Decide stays pure and two hosts
// still differ. What was put off is tried again at an even pace.
func backoff(now time.Time, d Diagnosis, past, tried []Attempt) time.Time {
	for i := len(past) - 1; i >= 0; i-- {
		if a := past[i]; a.Fault == d.Fault && !a.At.After(now) {
			if a.Outcome == PutOff {
				return a.Ended.Add(putOffPace)
			}
			break
		}
	}
	if len(tried) == 0 {
		return time.Time{}
	}
	last := tried[len(tried)-1]
	if last.Ended.IsZero() || last.Outcome == Healed || last.Outcome == Cut {
		return time.Time{}
	}
	wait := min(backoffBase<<min(len(tried)-1, 16), backoffMost)
	h := fnv.New32a()
	fmt.Fprint(h, last.Fault, last.At.UnixNano())
	jitter := time.Duration(h.Sum32()%1000) * wait / 4000
	return last.Ended.Add(wait + jitter)
}

// aftermathOf returns until when a fault is left alone because something that it
// may end with has just been healed: its users take a moment to notice.
func aftermathOf(b Book, d Diagnosis, past []Attempt) time.Time {
	var until time.Time
	var beneath map[Ref]bool
	for i := len(past) - 1; i >= 0 && i >= len(past)-recentAttempts; i-- {
		a := past[i]
		if a.Outcome != Healed || a.Fault == d.Fault {
			continue
		}
		if beneath == nil {
			beneath = b.closure(d.Fault, Ref.ends)
		}
		if end := a.Ended.Add(settling); end.After(until) && (beneath[a.Fault] || beneath[On(a.Fault.Code, "")]) {
			until = end
		}
	}
	return until
}

// recentAttempts bounds how far back aftermathOf looks: more are not made within
// its few seconds.
const recentAttempts = 8
