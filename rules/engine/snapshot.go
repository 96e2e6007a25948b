package engine

import (
	"maps"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// A Snapshot is what the engine knows, for those who show it: the control
// socket, the exporter, status. It is a value: nobody changes it once published.
type Snapshot struct {
	Schema  int          `json:"schema"`
	Host    string       `json:"host"`
	At      time.Time    `json:"at"`
	Started time.Time    `json:"started"`
	State   string       `json:"state"` // ok, failing, unknown
	Probes  []ProbeState `json:"probes"`
	Faults  []FaultState `json:"faults"`
	// Hold says why nothing at all may be done now, Forgetful why nothing can be
	// written down; empty when they are not.
	Hold      string `json:"hold,omitempty"`
	Forgetful string `json:"forgetful,omitempty"`
	// Lost are the sources of events that are lost, by kind, and why.
	Lost map[string]string `json:"lost_events,omitempty"`
	// Open are the incidents that go on.
	Open     []OpenIncident  `json:"open_incidents"`
	Healing  *rules.Attempt  `json:"healing,omitempty"`
	Recent   []rules.Attempt `json:"recent"`
	Attempts []AttemptCount  `json:"attempts"`
	// Budgets are those of services and of the host that are used in part.
	Budgets []Budget  `json:"budgets"`
	Heal    Histogram `json:"heal_seconds"` // onset to proof
	Late    Histogram `json:"late_seconds"` // looks behind their time
}

// An OpenIncident is one that goes on.
type OpenIncident struct {
	ID       string    `json:"id"`
	Cause    rules.Ref `json:"cause"`
	Onset    time.Time `json:"onset"`
	Attempts int       `json:"attempts"`
}

// A Budget is how many attempts are used of those that may be made within a
// time.
type Budget struct {
	For    string  `json:"for,omitempty"` // a service, or "host"; empty for a fault's own
	Used   int     `json:"used"`
	Of     int     `json:"of"`
	Within float64 `json:"within_seconds"`
}

func budgetOf(s rules.Spending) Budget {
	return Budget{For: s.What, Used: s.Used, Of: s.Attempts, Within: s.Within.Seconds()}
}

// ProbeState is one probe's newest answer and its history in numbers.
type ProbeState struct {
	ID      string       `json:"id"`
	State   probes.State `json:"state"`
	Error   string       `json:"error,omitempty"`
	At      time.Time    `json:"at,omitzero"`
	Changed time.Time    `json:"changed,omitzero"`
	Took    Histogram    `json:"took_seconds"`
}

// FaultState is one diagnosis and what is being done about it.
type FaultState struct {
	Fault    rules.Ref      `json:"fault"`
	Verdict  rules.Verdict  `json:"verdict"`
	Severity rules.Severity `json:"severity"`
	Scope    rules.Scope    `json:"scope"`
	Mode     rules.Mode     `json:"mode"`
	Summary  string         `json:"summary"`
	Since    time.Time      `json:"since"`
	Explains []rules.Ref    `json:"explains,omitempty"`
	By       []rules.Ref    `json:"by,omitempty"`
	Action   rules.Action   `json:"action"`
	// Budget is the fault's own, if something is used of it.
	Budget *Budget `json:"budget,omitempty"`
}

// AttemptCount counts attempts since the daemon started.
type AttemptCount struct {
	Remedy  string        `json:"remedy"`
	Outcome rules.Outcome `json:"outcome"`
	Rung    int           `json:"rung"`
	Count   uint64        `json:"count"`
}

// shownFor is how long a snapshot stands while nothing changes: its age tells
// whether the engine is alive, and when its probes last looked.
const shownFor = 5 * time.Second

// publish gives away a snapshot if anything changed, or the last one is old.
func (e *Engine) publish() {
	if lost := e.vitals.get().Lost; !maps.Equal(lost, e.lost) {
		e.lost, e.dirty = lost, true
	}
	now := e.Host.Now()
	if e.Published == nil || !e.dirty && now.Sub(e.shown) < shownFor && !now.Before(e.shown) {
		return
	}
	e.dirty, e.shown = false, now
	e.Published(e.snapshot())
}

func (e *Engine) snapshot() Snapshot {
	now := e.Host.Now()
	s := Snapshot{
		Schema: 1, Host: e.HostName, At: now, Started: e.started, State: "ok",
		Hold: e.policy.Hold, Forgetful: e.policy.Forgetful, Lost: e.vitals.get().Lost,
		Attempts: e.history.attempts(), Heal: e.history.heal.copy(), Late: e.late.copy(),
		Recent: []rules.Attempt{}, Faults: []FaultState{}, Probes: make([]ProbeState, 0, len(e.Probes)),
		Open: []OpenIncident{}, Budgets: []Budget{},
	}
	if n := len(e.core.Memory.Attempts); n > 0 {
		s.Recent = append(s.Recent, e.core.Memory.Attempts[max(0, n-recent):]...)
	}
	for _, p := range e.Probes {
		ps := e.probeState(p.Spec().ID)
		if ps.State == probes.Unknown {
			s.State = "unknown"
		}
		s.Probes = append(s.Probes, ps)
	}
	for i, d := range e.core.Diagnoses {
		s.State = "failing"
		s.Faults = append(s.Faults, e.faultState(now, d, e.core.Actions[i]))
	}
	for _, in := range e.record.incidents.Open {
		s.Open = append(s.Open, OpenIncident{in.ID, in.Cause, in.Onset, len(in.Attempts)})
	}
	for _, b := range e.core.Shared(now) {
		s.Budgets = append(s.Budgets, budgetOf(b))
	}
	if e.work != nil {
		a := e.work.attempt
		s.Healing = &a
	}
	return s
}

func (e *Engine) probeState(id string) ProbeState {
	ps := ProbeState{ID: id, State: probes.Unknown, Took: e.stats[id].took.copy(), Changed: e.stats[id].changed}
	r, looked := e.core.Memory.Latest[id]
	if looked {
		ps.State, ps.At = r.State, r.At
	}
	if r.Err != nil {
		ps.Error = r.Err.Error()
	}
	return ps
}

func (e *Engine) faultState(now time.Time, d rules.Diagnosis, a rules.Action) FaultState {
	f := FaultState{
		Fault: d.Fault, Verdict: d.Verdict, Severity: d.Rule.Severity, Scope: d.Rule.Scope, Mode: e.policy.ModeOf(d.Rule),
		Summary: d.Finding.Summary, Since: e.core.Memory.Sightings[d.Fault].First, Explains: d.Explains, By: d.By, Action: a,
	}
	if spent := e.core.Spent(now, d); spent.Used > 0 {
		b := budgetOf(spent)
		f.Budget = &b
	}
	return f
}

// recent is how many past attempts a snapshot carries.
const recent = 20
