package engine

import (
	"context"
	"errors"
	"fmt"

	"watchdog/remedies"
	"watchdog/rules"
)

// errNothing is what applying an empty plan comes to.
var errNothing = errors.New("nothing to do: what is wrong is not what this remedy changes")

// errNotNow is what an attempt comes to while somebody else changes the host.
var errNotNow = errors.New("not now")

// errOutdated is what an attempt comes to when its plan is not the one that was
// approved.
var errOutdated = errors.New("the plan is another one by now than the one that was approved")

// A task is one remedy being planned and applied, or put back, beside the loop.
type task struct {
	e        *Engine
	remedy   remedies.Remedy
	approved string // the hash of the one plan that may run, empty for any
	door     bool
	steps    []rules.Moment
}

// run writes the intent down, then plans and applies.
func (t *task) run(ctx context.Context, a rules.Attempt) applied {
	id, err := t.e.scribe.begin(a)
	if err != nil && t.remedy.Spec().Risk > remedies.Blip {
		return applied{err: err}
	}
	if err != nil {
		t.e.Log.Error("goes on without its intent written down", "err", err.Error())
	}
	t.e.Reached("intent")
	plan, err := t.apply(ctx)
	return applied{id: id, plan: plan, steps: t.steps, err: err}
}

func (t *task) apply(ctx context.Context) (remedies.Plan, error) {
	e := t.e
	unlock, err := e.Lock()
	if err != nil {
		return remedies.Plan{}, fmt.Errorf("%w: %w", errNotNow, err)
	}
	defer unlock()
	plan, err := e.Journal.Plan(ctx, t.remedy, e.Host)
	if err != nil {
		return plan, err
	}
	if err := t.allowed(plan); err != nil {
		return plan, err
	}
	return plan, e.Journal.Apply(ctx, plan, e.Hands, e.Host, t)
}

// allowed judges what only the plan itself tells.
func (t *task) allowed(plan remedies.Plan) error {
	if (plan.Empty() || plan.OnlyWaits()) && !t.e.Journal.Left(plan.Remedy) {
		return errNothing
	}
	if hold := t.e.Policy().Hold; hold != "" { // planning may have taken seconds
		return fmt.Errorf("%w: %s", errNotNow, hold)
	}
	if hash := plan.Hash(); t.approved != "" && t.approved != hash {
		return errOutdated
	}
	if t.door || t.e.AtWork == nil {
		return nil
	}
	if who := t.e.AtWork(plan.Touches()); who != "" {
		return fmt.Errorf("%w: %s", errNotNow, who)
	}
	return nil
}

// revert undoes a plan whose proof failed.
func (t *task) revert(ctx context.Context, plan remedies.Plan) applied {
	unlock, err := t.e.Lock()
	if err == nil {
		err = t.e.Journal.Revert(ctx, plan, t.e.Hands, t.e.Host, t)
		unlock()
	}
	return applied{steps: t.steps, err: err}
}

// Begin implements [remedies.Progress].
func (t *task) Begin(what string) error {
	t.e.Reached("before " + what)
	return nil
}

// End implements [remedies.Progress].
func (t *task) End(what string, err error) {
	t.e.Reached("after " + what)
	if err != nil {
		what = fmt.Sprintf("%s: %v", what, err)
		t.e.Log.Warn("step did not work", "step", what)
	} else {
		t.e.Log.Info("step done", "step", what)
	}
	t.steps = append(t.steps, rules.Moment{At: t.e.Host.Now(), What: what})
}

// policyNow is what the people at work allow at this moment.
func (e *Engine) policyNow() rules.Policy {
	before := e.policy
	e.policy, e.asked = e.Policy(), e.Host.Now()
	e.dirty = e.dirty || !e.policy.Same(before)
	return e.policy
}
