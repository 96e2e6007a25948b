// Package engine is the loop of the daemon, and the only place where the circle
// closes:
//
//	     ┌────────────── due, woken, or asked again ◀──────────────┐
//	     ▼                                                         │
//	probes ─▶ results ─▶ Diagnose ─▶ Decide ─▶ remedy: plan ─▶ apply ─▶ proof
//	                      (pure)      (pure)        │               │
//	                                                └──▶ ledger ◀───┘
//
// One goroutine owns all state. Probes and the one remedy at work run beside it
// and hand their results in by channels, so a hung target delays nobody else.
package engine

import (
	"context"
	"log/slog"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/ledger"
)

// Options are what an engine is made of.
type Options struct {
	Host *host.Host
	// Sources of events, by kind of wake.
	Sources  map[string]host.Source
	HostName string // the site's name of this host, for what is exported
	Probes   []probes.Probe
	Book     rules.Book
	// Remedy returns the remedy of that ID, or nil.
	Remedy func(id string) remedies.Remedy
	Hands  remedies.Hands
	// Ledger may be nil: then budgets live in memory.
	Ledger  Ledger
	Journal ledger.Journal
	// Policy is asked before every decision.
	Policy func() rules.Policy
	// Lock gets the machine-wide lock of those who change it; it returns an
	// error at once when an install or another heal has it.
	Lock func() (unlock func(), err error)
	Log  *slog.Logger
	// Notify tells the service manager ("READY=1", "WATCHDOG=1"). Called from
	// the loop only, so that a loop that hangs falls silent.
	Notify func(state string)
	// Published gets each new snapshot.
	Published func(Snapshot)
}

// A Ledger remembers attempts across restarts.
type Ledger interface {
	Begin(rules.Attempt) (uint64, error)
	End(uint64, rules.Attempt) error
}

// An Engine is one run of the loop.
type Engine struct {
	Options
	schedule schedule
	memory   rules.Memory
	latest   map[string]probes.Result
	stats    map[string]*probeStats
	history  counters

	diagnoses []rules.Diagnosis
	actions   []rules.Action
	work      *work // the remedy at work, or being proved
	results   chan probes.Result
	applied   chan applied
	healed    map[rules.Ref]time.Time // when the remedy that healed a fault had been applied
	events    chan event
	wakes     map[probes.Wake][]string // event → the probes it concerns
	started   time.Time
	dirty     bool // something changed since the last snapshot
}

// New makes an engine. attempts are those of earlier runs, oldest first.
func New(o Options, attempts []rules.Attempt) *Engine {
	e := &Engine{
		Options: o,
		memory: rules.Memory{
			Sightings: map[rules.Ref]rules.Sighting{},
			Looked:    map[string]time.Time{},
			Attempts:  attempts,
		},
		latest:  make(map[string]probes.Result, len(o.Probes)),
		stats:   make(map[string]*probeStats, len(o.Probes)),
		results: make(chan probes.Result, len(o.Probes)),
		applied: make(chan applied, 1),
		healed:  map[rules.Ref]time.Time{},
		events:  make(chan event, 64),
		wakes:   map[probes.Wake][]string{},
	}
	for _, p := range o.Probes {
		e.stats[p.Spec().ID] = newProbeStats()
	}
	return e
}

const (
	// keepAlive is the longest the loop stays silent while all is well.
	keepAlive = 5 * time.Second
	// tick is the shortest time between two turns of the loop that nothing
	// but time has woken.
	tick = 10 * time.Millisecond
)

// Run looks, diagnoses and heals until ctx ends; then it waits until the plan
// at work is finished or put back.
func (e *Engine) Run(ctx context.Context) error {
	e.started = e.Host.Now()
	e.schedule = newSchedule(e.Probes, e.started)
	e.listen(ctx)
	e.dirty = true
	e.publish()
	e.Notify("READY=1")
	e.Log.Info("engine started", "probes", len(e.Probes))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return e.finish()
		case r := <-e.results:
			e.take(r)
			e.drain()
			e.consider(ctx)
		case a := <-e.applied:
			e.tookEffect(a)
			e.consider(ctx)
		case ev := <-e.events:
			e.happened(ev)
			e.launch(ctx)
		case <-timer.C:
			e.launch(ctx)
			if e.waitOver() {
				e.consider(ctx)
			}
		}
		e.publish()
		e.Notify("WATCHDOG=1")
		// At most keepAlive: a clock that was set back is noticed by then.
		timer.Reset(min(keepAlive, max(tick, e.nextWake().Sub(e.Host.Now()))))
	}
}

// launch starts every probe that is due, all at once: probes that share a tick
// share its wake-up, which costs more than they do.
func (e *Engine) launch(ctx context.Context) {
	for _, p := range e.schedule.due(e.Host.Now()) {
		go func() { e.results <- probes.Look(ctx, e.Host, p) }()
	}
}

// drain takes what else has already come in, so that one decision serves all.
func (e *Engine) drain() {
	for {
		select {
		case r := <-e.results:
			e.take(r)
		default:
			return
		}
	}
}

// consider diagnoses and decides anew, and starts what was decided.
func (e *Engine) consider(ctx context.Context) {
	e.prove(ctx)
	seen := make([]probes.Result, 0, len(e.Probes))
	for _, p := range e.Probes {
		if r, ok := e.latest[p.Spec().ID]; ok {
			seen = append(seen, r)
		}
	}
	e.diagnoses = rules.Diagnose(e.Book, seen)
	e.memory.Healing = nil
	if e.work != nil {
		e.memory.Healing = &e.work.attempt.Fault
	}
	before := e.actions
	e.memory.Stand(e.Host.Now(), e.diagnoses)
	policy := e.Policy()
	if policy.Hold != "" {
		e.memory.Held = e.Host.Now()
	}
	e.actions = rules.Decide(e.Host.Now(), e.Book, e.diagnoses, e.memory, policy)
	e.say(before)
	for i, a := range e.actions {
		for _, p := range a.Look {
			e.schedule.hasten(p, e.Host.Now())
		}
		if a.Kind == rules.Heal {
			e.begin(ctx, a, e.diagnoses[i])
		}
	}
}

// say logs each action that is new or changed its mind, once.
func (e *Engine) say(before []rules.Action) {
	old := make(map[rules.Ref]rules.Action, len(before))
	for _, a := range before {
		old[a.Fault] = a
	}
	for _, a := range e.actions {
		if was := old[a.Fault]; was.Kind != a.Kind || was.Reason != a.Reason {
			e.dirty = true
			e.Log.Info("decided", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "action", string(a.Kind), "remedy", a.Remedy, "reason", a.Reason)
		}
	}
}

// waitOver reports whether time alone may have changed a decision.
func (e *Engine) waitOver() bool {
	now := e.Host.Now()
	for _, a := range e.actions {
		if !a.Until.IsZero() && !now.Before(a.Until) {
			return true
		}
	}
	return e.work != nil && !e.work.deadline.IsZero() && !now.Before(e.work.deadline)
}

// nextWake is when the loop has to look at something next.
func (e *Engine) nextWake() time.Time {
	next := e.schedule.next()
	for _, a := range e.actions {
		if !a.Until.IsZero() && a.Until.Before(next) {
			next = a.Until
		}
	}
	if e.work != nil && !e.work.deadline.IsZero() && e.work.deadline.Before(next) {
		next = e.work.deadline
	}
	return next
}
