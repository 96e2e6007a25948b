package rules

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"watchdog/probes"
)

// An Incident is one cause from its onset to its end: what was seen, what was
// taken for the cause and why, what was done, and what proved it.
type Incident struct {
	ID       string            `json:"id"`
	Host     string            `json:"host"`
	Cause    Ref               `json:"cause"`
	Title    string            `json:"title"`
	Severity Severity          `json:"severity"`
	Summary  string            `json:"summary"`
	Evidence []probes.Evidence `json:"evidence"`
	// Explains are all symptoms that it ever explained.
	Explains []Ref `json:"explains"`
	// Onset is when the first look that saw it began, Detected when that look
	// was done.
	Onset    time.Time     `json:"onset"`
	Detected time.Time     `json:"detected"`
	Ended    time.Time     `json:"ended,omitzero"`
	State    IncidentState `json:"state"`
	Attempts []Attempt     `json:"attempts"`
	Timeline []Moment      `json:"timeline"`
	// Recording is the ID of the first recording that it is in.
	Recording string `json:"recording,omitempty"`

	firm bool   // more than a blink: worth being written down
	said string // the decision that was noted last
}

// IDTime is how the IDs of incidents and recordings begin: they sort by time.
const IDTime = "20060102T150405.000"

// IncidentState says how an incident stands.
type IncidentState string

// States of an incident. Gone ended without us: by itself, or by a person.
const (
	IncidentOpen   IncidentState = "open"
	IncidentHealed IncidentState = "healed"
	IncidentGone   IncidentState = "gone"
	IncidentMerged IncidentState = "merged" // it was a symptom of another
)

// A Moment is one line of an incident's timeline.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// timelineMost bounds a timeline; the middle of a longer one is left out.
const timelineMost = 200

func (in *Incident) note(at time.Time, format string, args ...any) {
	if len(in.Timeline) >= timelineMost {
		in.Timeline = slices.Delete(in.Timeline, timelineMost/2, timelineMost/2+1)
	}
	in.Timeline = append(in.Timeline, Moment{at, fmt.Sprintf(format, args...)})
}

// Incidents keeps the incidents of one host, from the core's turns. It is pure.
type Incidents struct {
	Host string
	// Recording is the ID of the one under way, if any.
	Recording string
	// Open are those that go on, Recent those that ended a moment ago and go on
	// if their cause comes back.
	Open, Recent []*Incident
}

// NewIncidents goes on with what an earlier run left open.
func NewIncidents(host string, now time.Time, left []Incident) *Incidents {
	s := &Incidents{Host: host}
	for _, i := range left {
		i.firm = true
		i.Ended, i.State = now, IncidentGone
		i.note(now, "the daemon was started again")
		s.Recent = append(s.Recent, &i)
	}
	return s
}

// comesBack is how soon after its end a cause that is there again is the same
// incident.
const comesBack = time.Minute

// Turn books a turn of the core and returns the incidents that have to be
// written down anew.
func (s *Incidents) Turn(now time.Time, c *Core) []Incident {
	touched := map[*Incident]bool{}
	causes := map[Ref]bool{}
	for _, d := range c.Diagnoses {
		switch d.Verdict {
		case Cause:
			causes[d.Fault] = true
		case Symptom:
			if in := s.merge(now, d); in != nil {
				touched[in] = true
			}
		case Undecided: // nobody's yet
		}
	}
	// Those that are over end first: what stays of one is its next hypothesis.
	s.Open = slices.DeleteFunc(s.Open, func(in *Incident) bool {
		if causes[in.Cause] || in.State == IncidentOpen && c.Memory.waiting(in.Cause) {
			return false
		}
		if in.State == IncidentOpen {
			in.end(now)
		}
		touched[in] = true
		s.Recent = append(s.Recent, in)
		return true
	})
	for i, d := range c.Diagnoses {
		if d.Verdict != Cause {
			continue
		}
		in := s.of(now, d, c)
		in.Recording = cmp.Or(in.Recording, s.Recording)
		if in.update(now, d, c.Actions[i]) {
			touched[in] = true
		}
	}
	s.Recent = slices.DeleteFunc(s.Recent, func(in *Incident) bool { return now.Sub(in.Ended) > comesBack })
	var out []Incident
	for in := range touched {
		if in.firm {
			out = append(out, in.copy())
		}
	}
	slices.SortFunc(out, func(a, b Incident) int { return cmp.Or(a.Onset.Compare(b.Onset), cmp.Compare(a.ID, b.ID)) })
	return out
}

// waiting reports whether a fault that no look has found just now still counts
// as seen, or its remedy is being proved.
func (m *Memory) waiting(ref Ref) bool {
	_, seen := m.Sightings[ref]
	return seen || m.Healing != nil && *m.Healing == ref
}

// of returns the incident of a cause: the open one, one that comes back, one
// whose next hypothesis it is, or a new one.
func (s *Incidents) of(now time.Time, d Diagnosis, c *Core) *Incident {
	for _, in := range s.Open {
		if in.Cause == d.Fault {
			return in
		}
	}
	for i, in := range slices.Backward(s.Recent) {
		switch {
		case in.State == IncidentMerged:
			continue
		case in.Cause == d.Fault:
			in.note(now, "it is back")
		case slices.Contains(in.Explains, d.Fault):
			in.note(now, "%s is gone and %s is not: that is the cause now", in.Cause, d.Fault)
			in.Cause = d.Fault
		default:
			continue
		}
		in.Ended, in.State, in.said = time.Time{}, IncidentOpen, ""
		s.Recent = slices.Delete(s.Recent, i, i+1)
		s.Open = append(s.Open, in)
		return in
	}
	first := c.Memory.Sightings[d.Fault]
	in := &Incident{
		ID: first.First.UTC().Format(IDTime) + "-" + string(d.Fault.Code), Host: s.Host, Cause: d.Fault,
		Onset: first.First, Detected: first.Last, State: IncidentOpen, Explains: []Ref{}, Attempts: []Attempt{},
	}
	in.note(now, "%s: %s", d.Fault, d.Finding.Summary)
	s.Open = append(s.Open, in)
	return in
}

// update brings an incident up to the newest diagnosis and action, and reports
// whether that is worth writing down.
func (in *Incident) update(now time.Time, d Diagnosis, a Action) bool {
	in.Title, in.Severity, in.Summary, in.Evidence = d.Rule.Title, d.Rule.Severity, d.Finding.Summary, d.Finding.Evidence
	for _, ref := range d.Explains {
		if !slices.Contains(in.Explains, ref) {
			in.Explains = append(in.Explains, ref)
			in.note(now, "explains %s", ref)
		}
	}
	said := fmt.Sprintf("%s %s %s", a.Kind, a.Rail, a.Remedy)
	if in.said == said {
		return false
	}
	in.said = said
	switch a.Kind {
	case Wait:
		return in.firm
	case Heal:
		in.note(now, "heals by %s", a.Remedy)
	default:
		in.note(now, "%s: %s", a.Kind, a.Reason)
	}
	in.firm = true
	return true
}

// merge ends the incident of a fault that turned out to be a symptom.
func (s *Incidents) merge(now time.Time, d Diagnosis) *Incident {
	for _, in := range s.Open {
		if in.Cause == d.Fault && in.State == IncidentOpen && len(d.By) > 0 {
			in.note(now, "is a symptom of %s", d.By[0])
			in.Ended, in.State = now, IncidentMerged
			return in
		}
	}
	return nil
}

func (in *Incident) end(now time.Time) {
	in.Ended, in.State = now, IncidentGone
	if n := len(in.Attempts); n > 0 && in.Attempts[n-1].Outcome == Healed {
		in.State = IncidentHealed
	}
	in.note(now, "%s after %s", in.State, now.Sub(in.Onset).Round(time.Millisecond))
	in.firm = in.firm || now.Sub(in.Onset) > blink
}

// blink is how long a fault may last and be forgotten when nothing was done.
const blink = time.Second

// Tried books an attempt, and what it did step by step.
func (s *Incidents) Tried(a Attempt, steps []Moment) []Incident {
	for _, in := range slices.Concat(s.Open, s.Recent) {
		if in.Cause != a.Fault || in.State == IncidentMerged {
			continue
		}
		for _, m := range steps {
			in.note(m.At, "%s", m.What)
		}
		if !a.Outcome.idle() {
			in.Attempts = append(in.Attempts, a)
		}
		in.note(a.Ended, "%s by %s%s", a.Outcome, a.Remedy, suffix(a.Detail))
		in.firm = true
		return []Incident{in.copy()}
	}
	return nil
}

func suffix(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

// copy is one that nobody changes any more.
func (in *Incident) copy() Incident {
	c := *in
	c.Explains, c.Attempts, c.Timeline = slices.Clone(in.Explains), slices.Clone(in.Attempts), slices.Clone(in.Timeline)
	return c
}
