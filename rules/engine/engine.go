// Package engine is the loop of the daemon, and the only place where the circle
// closes:
//
//	     ┌────────────── due, woken, or asked again ◀──────────────┐
//	     ▼                                                         │
//	probes ─▶ results ─▶ Diagnose ─▶ Decide ─▶ remedy: plan ─▶ apply ─▶ proof
//	                      (pure)      (pure)        │               │
//	                                                └──▶ ledger ◀───┘
//
// One goroutine owns all state. Probes, the one remedy at work and all writing
// run beside it and hand their results in by channels, so a hung target or disk
// delays nobody else.
package engine

import (
	"context"
	"errors"
	"fmt"
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
	// AtWork names the person who is at work on one of these files or units, or
	// nothing.
	AtWork func(files, units []string) string
	// Lock gets the machine-wide lock of those who change it; it returns an
	// error at once when an install or another heal has it.
	Lock func() (unlock func(), err error)
	Log  *slog.Logger
	// Notify tells the service manager ("READY=1", "WATCHDOG=1"). Called from
	// the loop only, so that a loop that hangs falls silent.
	Notify func(state string)
	// Published gets each new snapshot.
	Published func(Snapshot)
	// Reached, when not nil, hears of each step that must survive a crash, just
	// before and just after it: builds for drills end the process there.
	Reached func(step string)
	// Booted is when the host came up.
	Booted time.Time
	// Open are the incidents that an earlier run left open.
	Open []rules.Incident
}

// A Ledger remembers attempts and incidents across restarts. It is called from
// one goroutine.
type Ledger interface {
	Begin(rules.Attempt) (uint64, error)
	End(uint64, rules.Attempt) error
	// Forget takes back an attempt at which nothing was done.
	Forget(uint64) error
	Incident(rules.Incident) error
	Recording(rules.Recording) error
}

// An Engine is one run of the loop.
type Engine struct {
	Options
	core     *rules.Core
	schedule schedule
	stats    map[string]*probeStats
	history  counters
	late     Histogram // looks behind their time
	record   *recorder
	scribe   *scribe
	vitals   *vitals

	work    *work // the remedy at work, or being proved
	results chan probes.Result
	applied chan applied
	events  chan event
	wakes   map[probes.Wake][]string // event → the probes it concerns
	policy  rules.Policy
	asked   time.Time // when the policy was
	started time.Time
	lost    map[string]string // sources of events, in the last snapshot
	shown   time.Time         // when the newest snapshot was published
	dirty   bool              // something changed since
}

// New makes an engine. attempts are those of earlier runs, oldest first.
func New(o Options, attempts []rules.Attempt) *Engine {
	order := make([]string, len(o.Probes))
	stats := make(map[string]*probeStats, len(o.Probes))
	for i, p := range o.Probes {
		order[i] = p.Spec().ID
		stats[order[i]] = newProbeStats()
	}
	memory := rules.NewMemory(attempts)
	memory.Booted = o.Booted
	e := &Engine{
		Options: o,
		core:    rules.NewCore(o.Book, order, memory),
		stats:   stats,
		late:    newHistogram(0.01, 0.05, 0.25, 1),
		scribe:  newScribe(o.Ledger, o.Log),
		vitals:  &vitals{},
		results: make(chan probes.Result, len(o.Probes)),
		applied: make(chan applied, 1),
		events:  make(chan event, 64),
		wakes:   map[probes.Wake][]string{},
	}
	e.record = newRecorder(e)
	e.Host.Vitals = e.vitals.get
	if e.Reached == nil {
		e.Reached = func(string) {}
	}
	return e
}

const (
	// keepAlive is the longest the loop stays silent while all is well.
	keepAlive = 5 * time.Second
	// tick is the shortest time between two turns of the loop that nothing
	// but time has woken.
	tick = 10 * time.Millisecond
	// askAgain is how old the answer may be to what the people at work allow:
	// nothing tells when a hold file appears or a package manager begins.
	askAgain = time.Second
)

// Run looks, diagnoses and heals until ctx ends; then it waits until the plan
// at work is finished or put back.
func (e *Engine) Run(ctx context.Context) error {
	e.started = e.Host.Now()
	e.schedule = newSchedule(e.Probes, e.started)
	defer e.scribe.close()
	e.listen(ctx)
	e.policyNow()
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
		case a := <-e.applied:
			e.tookEffect(a)
		case ev := <-e.events:
			e.happened(ev)
		case <-timer.C:
		}
		e.launch(ctx)
		e.consider(ctx)
		if err := e.overdue(); err != nil {
			return err
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
	for _, p := range e.schedule.due(e.Host.Now(), e.late.observe) {
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

// consider diagnoses and decides anew if there is reason to, and starts what was
// decided.
func (e *Engine) consider(ctx context.Context) {
	e.prove(ctx)
	now := e.Host.Now()
	if e.core.Stale() || now.Sub(e.asked) >= askAgain || now.Before(e.asked) {
		e.policyNow()
	}
	before := e.core.Actions
	if !e.core.Turn(now, e.policy) {
		e.record.ending(now)
		return
	}
	e.record.turn(now, e.policy)
	e.say(before)
	for i, a := range e.core.Actions {
		for _, p := range a.Look {
			e.schedule.hasten(p, now)
		}
		if a.Kind == rules.Heal {
			e.begin(ctx, a, e.core.Diagnoses[i])
		}
	}
}

// say logs each action that is new or changed its mind, once.
func (e *Engine) say(before []rules.Action) {
	for _, a := range e.record.changed(before) {
		e.dirty = true
		e.Log.Info("decided", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "action", string(a.Kind), "remedy", a.Remedy, "reason", a.Reason)
	}
}

// stuckAfter is how long beyond its own time and that of putting back a remedy
// may go on before it counts as hung.
const stuckAfter = 10 * time.Minute

// errStuck ends an engine whose remedy never came back: started afresh, it finds
// in the journal what is to be finished.
var errStuck = errors.New("a remedy does not come back")

func (e *Engine) overdue() error {
	w := e.work
	if w == nil || w.stuck.IsZero() || e.Host.Now().Before(w.stuck) {
		return nil
	}
	return fmt.Errorf("%s against %s: %w", w.attempt.Remedy, w.attempt.Fault, errStuck)
}

// nextWake is when the loop has to look at something next.
func (e *Engine) nextWake() time.Time {
	next := e.schedule.next(e.Host.Now())
	times := []time.Time{e.core.Due(), e.work.due()}
	if len(e.core.Actions) > 0 { // a person may approve, or take off a hold
		times = append(times, e.asked.Add(askAgain))
	}
	for _, t := range times {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}
