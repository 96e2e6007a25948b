package engine

import (
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// A Snapshot is what the engine knows, for those who show it: the control
// socket, the exporter, status. It is a value: nobody changes it once published.
type Snapshot struct {
	Schema   int             `json:"schema"`
	Host     string          `json:"host"`
	At       time.Time       `json:"at"`
	Started  time.Time       `json:"started"`
	State    string          `json:"state"` // ok, failing, unknown
	Probes   []ProbeState    `json:"probes"`
	Faults   []FaultState    `json:"faults"`
	Healing  *rules.Attempt  `json:"healing,omitempty"`
	Recent   []rules.Attempt `json:"recent"`
	Attempts []AttemptCount  `json:"attempts"`
	Heal     Histogram       `json:"heal_seconds"` // onset to proof
	Late     Histogram       `json:"late_seconds"` // looks behind their time
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
	now := e.Host.Now()
	if e.Published == nil || !e.dirty && now.Sub(e.shown) < shownFor && !now.Before(e.shown) {
		return
	}
	e.dirty, e.shown = false, now
	e.Published(e.snapshot())
}

func (e *Engine) snapshot() Snapshot {
	s := Snapshot{
		Schema: 1, Host: e.HostName, At: e.Host.Now(), Started: e.started,
		State: "ok", Attempts: e.history.attempts(), Heal: e.history.heal.copy(), Late: e.late.copy(),
		Recent: []rules.Attempt{}, Faults: []FaultState{}, Probes: make([]ProbeState, 0, len(e.Probes)),
	}
	if n := len(e.core.Memory.Attempts); n > 0 {
		s.Recent = append(s.Recent, e.core.Memory.Attempts[max(0, n-recent):]...)
	}
	for _, p := range e.Probes {
		id := p.Spec().ID
		r, looked := e.core.Memory.Latest[id]
		ps := ProbeState{ID: id, State: probes.Unknown, Took: e.stats[id].took.copy(), Changed: e.stats[id].changed}
		if looked {
			ps.State, ps.At = r.State, r.At
		}
		if r.Err != nil {
			ps.Error = r.Err.Error()
		}
		if ps.State == probes.Unknown && s.State == "ok" {
			s.State = "unknown"
		}
		s.Probes = append(s.Probes, ps)
	}
	policy := e.Policy()
	for i, d := range e.core.Diagnoses {
		s.State = "failing"
		s.Faults = append(s.Faults, FaultState{
			Fault: d.Fault, Verdict: d.Verdict, Severity: d.Rule.Severity, Scope: d.Rule.Scope, Mode: policy.ModeOf(d.Rule),
			Summary: d.Finding.Summary, Since: e.core.Memory.Sightings[d.Fault].First, Explains: d.Explains, By: d.By, Action: e.core.Actions[i],
		})
	}
	if e.work != nil {
		a := e.work.attempt
		s.Healing = &a
	}
	return s
}

// recent is how many past attempts a snapshot carries.
const recent = 20
