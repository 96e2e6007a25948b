package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"watchdog/rules"
	"watchdog/rules/scenarios"
)

// A pass is one fault with the engine free to act.
type pass struct {
	scenarios.Scenario
	score *Score
	// start is just before the break, broken just after it; from is when the
	// engine could begin to heal: then too, or when it was let.
	start, broken, from time.Time
	// seen says that the engine has seen the fault, and explained what it took
	// for its symptoms.
	seen      bool
	explained []rules.Ref
	// acts is how many attempts had been made when a person was waited for.
	acts int
}

// free breaks the host with the engine free to act, and holds it to the row.
func (r *Runner) free(ctx context.Context, s scenarios.Scenario, score *Score) error {
	p := &pass{Scenario: s, score: score}
	before, err := r.picture(ctx, s.Host)
	if err != nil {
		return err
	}
	if p.start, err = r.clock(ctx, s.Host); err != nil {
		return err
	}
	if err := r.atOnce(ctx, p); err != nil {
		return err
	}
	p.from = p.broken
	if s.Mode != scenarios.Heal {
		if err := r.held(ctx, p); err != nil || !score.Passed() {
			return err
		}
	}
	if s.Mode == scenarios.Report {
		if err := r.meanwhile(ctx, p); err != nil || !score.Passed() {
			return err
		}
		err = r.mended(ctx, p)
	} else {
		err = r.healed(ctx, p)
	}
	if err != nil || !score.Passed() {
		return err
	}
	after, err := r.picture(ctx, s.Host)
	if err != nil {
		return err
	}
	before.compare(after, s, score)
	if slices.Contains(score.Collateral, engineService) {
		score.wrong("the engine ended: %s", r.lastWords(ctx, s.Host, p.start))
	}
	return nil
}

// atOnce breaks the host while the engine's process is frozen, so that a break
// of several commands befalls it in one instant. What happens on the host
// meanwhile is queued for it by the kernel and the bus.
func (r *Runner) atOnce(ctx context.Context, p *pass) (err error) {
	// A frozen engine that is killed would be started again as if it had died
	// at its work: where it may die, it runs.
	freeze, thaw := "systemctl kill --kill-whom=main -s STOP "+engineUnit, thaw
	if p.EngineRestarts {
		freeze, thaw = "true", "true"
	}
	if _, err := r.sh(ctx, p.Host, freeze); err != nil {
		return fmt.Errorf("stop the engine's process for a moment: %w", err)
	}
	began := time.Now()
	_, broke := r.sh(ctx, p.Host, p.Break)
	if broke == nil {
		broke = r.outside(ctx, p.Outside)
	}
	took := time.Since(began)
	p.broken, err = r.clock(context.WithoutCancel(ctx), p.Host, thaw)
	switch {
	case broke != nil || err != nil:
		return fmt.Errorf("break: %w", errors.Join(broke, err))
	case took > frozen && !p.EngineRestarts:
		return fmt.Errorf("break: it took %s, and the engine bears %s of standing still: let it go on in settle", took.Round(time.Second), frozen)
	}
	if p.Mode == scenarios.Heal {
		return nil // what heals does not wait
	}
	return r.settle(ctx, p.Scenario)
}

// thaw lets the engine's process go on. One that is gone is missed when it is
// asked.
const thaw = "{ systemctl kill --kill-whom=main -s CONT " + engineUnit + " 2>/dev/null || true; }"

// frozen is how long the engine's process may stand still: its service manager
// ends it after 30 seconds without a sign of life.
const frozen = 20 * time.Second

// mended is a person's fix of what was only reported.
func (r *Runner) mended(ctx context.Context, p *pass) error {
	if err := r.mend(ctx, p.Scenario, p.score); err != nil {
		return err
	}
	if err := r.healthy(ctx, p.Host); err != nil {
		p.score.wrong("after the fix: %v", err)
		return ctx.Err()
	}
	// What the person mended is not the engine's to mend again.
	return r.handsOff(ctx, p, quiet)
}

// healed lets the engine go on where it waits for a person, and holds it to
// healing the fault.
func (r *Runner) healed(ctx context.Context, p *pass) error {
	if err := r.release(ctx, p); err != nil {
		return err
	}
	attempts, err := r.await(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		p.score.wrong("not healed: %v", err)
	}
	p.judge(attempts)
	if p.Mode != scenarios.Release {
		return r.outside(ctx, p.OutsideFix)
	}
	return nil
}

// release does what the engine waits for.
func (r *Runner) release(ctx context.Context, p *pass) (err error) {
	var script string
	switch p.Mode {
	case scenarios.Ask:
		script = "watchdog approve --yes " + string(p.Cause.Code)
	case scenarios.Release:
		script = p.Free
	default:
		return nil
	}
	if p.from, err = r.clock(ctx, p.Host); err != nil {
		return err
	}
	if _, err := r.sh(ctx, p.Host, script); err != nil {
		return fmt.Errorf("let the engine heal: %w", err)
	}
	if p.Mode == scenarios.Release {
		return r.outside(ctx, p.OutsideFix)
	}
	return nil
}

// judge books the attempts of the engine's own healing.
func (p *pass) judge(attempts []rules.Attempt) {
	score := p.score
	if n := len(attempts); n < p.Acts.Least || n > p.Acts.Most {
		score.wrong("%d attempts, %s", n, wanted(p.Acts))
	}
	p.book(attempts)
	for i, a := range attempts {
		last := i == len(attempts)-1
		switch {
		case !p.mayActOn(a.Fault):
			score.wrong("acted on %s (%s, %s)", a.Fault, a.Remedy, a.Outcome)
		case a.Outcome != rules.Healed && (last || p.Acts.Most <= 1+len(p.Then)):
			score.wrong("an attempt by %s %s: %s", a.Remedy, a.Outcome, a.Detail)
		}
	}
	if len(attempts) == 0 {
		return
	}
	first, last := attempts[min(p.acts, len(attempts)-1)], attempts[len(attempts)-1]
	if p.Mode == scenarios.Heal {
		score.Detect = max(0, first.Seen.Sub(p.broken).Seconds())
		p.from = first.Seen
	}
	score.Confirm = max(0, first.At.Sub(p.from).Seconds())
	score.Heal = last.Ended.Sub(first.At).Seconds()
}

func (p *pass) book(attempts []rules.Attempt) {
	for _, a := range attempts {
		p.score.Acted = append(p.score.Acted, a.Fault.String())
	}
}

// mayActOn reports whether an attempt against fault is the row's: against its
// cause, against what does not end with that, or, where something stood in the
// way, against what that explained.
func (p *pass) mayActOn(fault rules.Ref) bool {
	then := slices.ContainsFunc(p.Then, func(want rules.Ref) bool { return matches(want, fault) })
	return matches(p.Cause, fault) || then || p.Mode == scenarios.Release && slices.Contains(p.explained, fault)
}

func wanted(n scenarios.Range) string {
	if n.Least == n.Most {
		return fmt.Sprintf("want %d", n.Least)
	}
	return fmt.Sprintf("want %d to %d", n.Least, n.Most)
}
