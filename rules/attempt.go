package rules

import (
	"fmt"
	"hash/fnv"
	"time"
)

// An Outcome is what became of an attempt.
type Outcome string

// Outcomes of an attempt. Running stands while it is under way, and after a
// crash until the next start has finished it.
const (
	Attempting Outcome = "running"
	Healed     Outcome = "healed"
	Failed     Outcome = "failed"    // the plan could not be applied, and was put back
	Unproved   Outcome = "unproved"  // it was applied, and the fault stayed: put back
	Unneeded   Outcome = "unneeded"  // the remedy found nothing to do
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

// rung counts the attempts in a row that did not help.
func rung(now time.Time, d Diagnosis, past []Attempt) int {
	n := 0
	for i := len(past) - 1; i >= 0; i-- {
		a := past[i]
		if a.Fault != d.Fault {
			continue
		}
		if !a.wasted(now) || now.Sub(a.At) > d.Rule.budget().Within {
			break
		}
		n++
	}
	return n
}

// wasted reports whether the attempt did not help, given that its fault is
// there again now.
func (a Attempt) wasted(now time.Time) bool {
	switch a.Outcome {
	case Failed, Unproved, Unneeded:
		return true
	case Healed:
		return now.Sub(a.Ended) < relapse
	}
	return false
}

// spent counts the attempts of the rule on this subject within its budget's
// time.
func spent(now time.Time, d Diagnosis, past []Attempt) int {
	n := 0
	for _, a := range past {
		if a.Fault == d.Fault && now.Sub(a.At) < d.Rule.budget().Within {
			n++
		}
	}
	return n
}

// backoff returns when the next attempt may be made: exponential, with jitter
// that is a function of the attempt, so that Decide stays pure and two hosts
// still differ.
func backoff(d Diagnosis, past []Attempt) time.Time {
	wait := backoffBase
	var last Attempt
	for _, a := range past {
		if a.Fault != d.Fault {
			continue
		}
		if last.Fault == a.Fault && a.At.Sub(last.Ended) < d.Rule.budget().Within {
			wait = min(2*wait, backoffMost)
		}
		last = a
	}
	if last.Outcome == "" || last.Ended.IsZero() {
		return time.Time{}
	}
	if last.Outcome == Healed || last.Outcome == Cut {
		return time.Time{}
	}
	h := fnv.New32a()
	fmt.Fprint(h, last.Fault, last.At.UnixNano())
	jitter := time.Duration(h.Sum32()%1000) * wait / 4000
	return last.Ended.Add(wait + jitter)
}

// aftermathOf returns until when a fault is left alone because something that
// can explain it has just been healed: its users take a moment to notice.
func aftermathOf(b Book, d Diagnosis, past []Attempt) time.Time {
	var until time.Time
	var beneath map[Ref]bool
	for i := len(past) - 1; i >= 0 && i >= len(past)-recentAttempts; i-- {
		a := past[i]
		if a.Outcome != Healed || a.Fault == d.Fault {
			continue
		}
		if beneath == nil {
			beneath = b.closure(d.Fault)
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
