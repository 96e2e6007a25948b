package engine

import (
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// A recorder writes down what the core is told and what it decides while
// something is wrong, and keeps the incidents.
type recorder struct {
	e         *Engine
	incidents *rules.Incidents
	recording *rules.Recording // under way, or nil
	quietFrom time.Time        // since when nothing has been wrong
	decided   []rules.Action   // of the last turn that was recorded
	policy    *rules.Policy    // that is recorded
}

const (
	// linesMost and longest bound a recording.
	linesMost = 3000
	longest   = 30 * time.Minute
	// afterwards is how long all has to be well for a recording to end.
	afterwards = 30 * time.Second
)

func newRecorder(e *Engine) *recorder {
	r := &recorder{e: e, incidents: rules.NewIncidents(e.HostName, e.Host.Now(), e.Open)}
	for _, in := range r.incidents.Recent { // ended, unless they come back
		r.write(*in)
	}
	return r
}

// look records one answer. A fault that was not there before begins a recording.
func (r *recorder) look(now time.Time, res probes.Result, seen rules.Seen) {
	if r.recording == nil {
		if len(seen.New) > 0 {
			r.start(now)
		}
		return
	}
	r.add(rules.Line{At: now, Look: rules.LookOf(res)})
}

// start begins a recording with the memory as it is, the new fault in it.
func (r *recorder) start(now time.Time) {
	b := r.e.Book
	order := make([]string, len(r.e.Probes))
	for i, p := range r.e.Probes {
		order[i] = p.Spec().ID
	}
	r.recording = &rules.Recording{
		Schema: 1, ID: now.UTC().Format(rules.IDTime), Host: r.e.HostName, Started: now,
		Order: order, Tells: b.Tells, Calm: b.Calm, Cures: b.Cures, Base: r.e.core.Memory.Base(),
	}
	r.decided, r.policy, r.incidents.Recording = nil, nil, r.recording.ID
}

func (r *recorder) add(l rules.Line) {
	if r.recording == nil {
		return
	}
	r.recording.Lines = append(r.recording.Lines, l)
	switch {
	case len(r.recording.Lines) >= linesMost:
		r.stop("it grew too long")
	case l.At.Sub(r.recording.Started) > longest:
		r.stop("the faults last longer than is recorded")
	}
}

// stop ends the recording and has it written.
func (r *recorder) stop(cut string) {
	rec := *r.recording
	rec.Cut = cut
	r.recording, r.quietFrom, r.incidents.Recording = nil, time.Time{}, ""
	r.e.scribe.write("recording", func(l Ledger) error { return l.Recording(rec) })
}

// close keeps what was recorded up to the daemon's end.
func (r *recorder) close() {
	if r.recording != nil {
		r.stop("the daemon ended")
	}
}

// turn records one decision and brings the incidents up to it.
func (r *recorder) turn(now time.Time, p rules.Policy) {
	for _, in := range r.incidents.Turn(now, r.e.core) {
		r.write(in)
	}
	if r.recording == nil {
		return
	}
	t := &rules.Turn{Changed: r.decided == nil || len(r.changed(r.decided)) > 0 || len(r.decided) != len(r.e.core.Actions)}
	if r.policy == nil || !p.Same(*r.policy) {
		t.Policy, r.policy = p.Record(), &p
	}
	if t.Changed {
		t.Decided = r.e.core.Decisions()
	}
	r.decided = r.e.core.Actions
	if r.decided == nil {
		r.decided = []rules.Action{}
	}
	r.add(rules.Line{At: now, Turn: t})
	r.ending(now)
}

// ending stops the recording when all has been well for a while: what comes until
// then belongs to it. The loop asks each time it goes round, with or without a turn.
func (r *recorder) ending(now time.Time) {
	switch {
	case r.recording == nil:
	case len(r.e.core.Diagnoses) > 0 || r.e.work != nil:
		r.quietFrom = time.Time{}
	case r.quietFrom.IsZero():
		r.quietFrom = now
	case now.Sub(r.quietFrom) > afterwards:
		r.stop("")
	}
}

// changed returns the newest actions that are others than before.
func (r *recorder) changed(before []rules.Action) []rules.Action {
	old := make(map[rules.Ref]rules.Action, len(before))
	for _, a := range before {
		old[a.Fault] = a
	}
	var out []rules.Action
	for _, a := range r.e.core.Actions {
		if was := old[a.Fault]; was.Kind != a.Kind || was.Reason != a.Reason || was.Remedy != a.Remedy {
			out = append(out, a)
		}
	}
	return out
}

// begun and tried record a remedy at work.
func (r *recorder) begun(now time.Time, fault rules.Ref) { r.add(rules.Line{At: now, Begin: &fault}) }

func (r *recorder) tried(now time.Time, a rules.Attempt, healed []rules.Ref, since time.Time, steps []rules.Moment) {
	r.add(rules.Line{At: now, End: &rules.End{Attempt: a, Healed: healed, Since: since}})
	for _, in := range r.incidents.Tried(a, steps) {
		r.write(in)
	}
}

func (r *recorder) write(in rules.Incident) {
	r.e.scribe.write("incident", func(l Ledger) error { return l.Incident(in) })
}
