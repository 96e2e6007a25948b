package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/scenarios"
)

const (
	// quiet is how long the host has to stay well to count as healed.
	quiet = 3 * time.Second
	// still is how long the engine has to keep its hands off what it may not
	// touch.
	still = 10 * time.Second
	// pace is how often the engine is asked.
	pace = 250 * time.Millisecond
)

// await waits until the engine has acted and all is well again and stays so. It
// returns the attempts made since the pass began.
func (r *Runner) await(ctx context.Context, p *pass) ([]rules.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var since, stuck time.Time
	var attempts []rules.Attempt
	for {
		snap, err := r.status(ctx, p.Host)
		if err != nil {
			return attempts, err
		}
		attempts = madeSince(snap, p.start)
		p.seen = p.seen || len(attempts) > 0 || snap.State == "failing"
		switch {
		case !p.seen || len(attempts) < p.Acts.Least || snap.State != "ok" || snap.Healing != nil:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > quiet:
			return attempts, nil
		}
		switch {
		case !waitsForPerson(snap):
			stuck = time.Time{}
		case stuck.IsZero():
			stuck = time.Now()
		case time.Since(stuck) > still:
			return attempts, fmt.Errorf("the engine leaves it to a person: %s", faults(snap))
		}
		if !pause(ctx) {
			return attempts, fmt.Errorf("state %s after %s: %s", snap.State, patience, faults(snap))
		}
	}
}

// waitsForPerson reports whether the engine will do nothing more by itself while
// a drill waits for it.
func waitsForPerson(snap engine.Snapshot) bool {
	n := 0
	for _, f := range snap.Faults {
		a := f.Action
		switch {
		case a.Kind == rules.Report, a.Kind == rules.Asking, a.Kind == rules.GaveUp && (a.Until.IsZero() || a.Until.Sub(snap.At) > patience):
			n++
		case f.Verdict != rules.Symptom:
			return false
		}
	}
	return n > 0 && snap.Healing == nil
}

// held waits until the engine has come to what the row wants of it, holds it to
// keeping its hands off from then on, and diagnose to the cause. What is not so
// is in the score.
func (r *Runner) held(ctx context.Context, p *pass) error {
	snap, err := r.standing(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		p.score.wrong("%v", err)
		return nil
	}
	f, _ := p.standsIn(snap)
	attempts := madeSince(snap, p.start)
	seen := f.Since
	if len(attempts) > 0 {
		seen = attempts[0].Seen
	}
	p.score.Detect = max(0, seen.Sub(p.broken).Seconds())
	p.explained, p.seen = f.Explains, true
	p.acts = len(attempts)
	if p.Mode == scenarios.Report { // else they are booked at the end
		p.book(attempts)
	}
	if err := r.handsOff(ctx, p, still); err != nil || !p.score.Passed() {
		return err
	}
	if snap, err = r.status(ctx, p.Host); err != nil {
		return err
	}
	f, stands := p.standsIn(snap)
	if !stands {
		p.score.wrong("it did not stand for %s: %s", still, faults(snap))
	}
	for _, other := range snap.Faults {
		if other.Verdict == rules.Cause && !matches(p.Cause, other.Fault) {
			p.score.wrong("the engine takes %s for a cause", other.Fault)
		}
	}
	return r.diagnosed(ctx, p.Scenario, p.score, fmt.Sprintf("%s: %s", f.Action.Kind, f.Action.Reason))
}

// handsOff holds the engine to doing nothing more for a while.
func (r *Runner) handsOff(ctx context.Context, p *pass, length time.Duration) error {
	for end := time.Now().Add(length); time.Now().Before(end); {
		if !pause(ctx) {
			return ctx.Err()
		}
		snap, err := r.status(ctx, p.Host)
		if err != nil {
			return err
		}
		if p.actedBeyond(snap, p.acts) {
			return nil
		}
	}
	return nil
}

// standing waits until the cause stands and the engine has come to the wanted
// action.
func (r *Runner) standing(ctx context.Context, p *pass) (engine.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		snap, err := r.status(ctx, p.Host)
		if err != nil {
			return snap, err
		}
		if _, ok := p.standsIn(snap); ok && snap.Healing == nil {
			if n := len(madeSince(snap, p.start)); n < p.before().Least || n > p.before().Most {
				return snap, fmt.Errorf("%q came after %d attempts, %s", p.Action, n, wanted(p.before()))
			}
			return snap, nil
		}
		if p.actedBeyond(snap, p.before().Most) {
			return snap, fmt.Errorf("no attempt was to be made beyond that before %q", p.Action)
		}
		if !pause(ctx) {
			return snap, fmt.Errorf("no %q of %s after %s: %s", p.Action, p.Cause, patience, faults(snap))
		}
	}
}

// before is how many attempts may be made before a person is waited for: none,
// but where giving up is what is wanted.
func (p *pass) before() scenarios.Range {
	switch {
	case p.Mode == scenarios.Report:
		return p.Acts
	case p.Action == rules.GaveUp:
		return scenarios.Range{Least: 1, Most: p.Acts.Most - 1}
	}
	return scenarios.Range{}
}

// standsIn finds the row's cause in a snapshot, and reports whether the engine
// has come to the wanted action about it.
func (p *pass) standsIn(snap engine.Snapshot) (engine.FaultState, bool) {
	i := slices.IndexFunc(snap.Faults, func(f engine.FaultState) bool {
		return f.Verdict == rules.Cause && matches(p.Cause, f.Fault)
	})
	if i < 0 {
		return engine.FaultState{}, false
	}
	return snap.Faults[i], snap.Faults[i].Action.Kind == p.Action
}

// actedBeyond books what the engine did that was not its to do: more than so
// many attempts, or one against another fault.
func (p *pass) actedBeyond(snap engine.Snapshot, most int) bool {
	attempts := madeSince(snap, p.start)
	if snap.Healing != nil {
		attempts = append(attempts, *snap.Healing)
	}
	attempts = slices.DeleteFunc(attempts, p.besides)
	for i, a := range attempts {
		if i >= most || !matches(p.Cause, a.Fault) {
			p.score.wrong("acted on %s (%s, %s)", a.Fault, a.Remedy, a.Outcome)
			return true
		}
	}
	return false
}

func madeSince(snap engine.Snapshot, start time.Time) []rules.Attempt {
	var out []rules.Attempt
	for _, a := range snap.Recent {
		if a.At.After(start) {
			out = append(out, a)
		}
	}
	return out
}

// healthy waits until the engine has looked at everything and sees nothing wrong.
func (r *Runner) healthy(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		snap, err := r.status(ctx, host)
		if err != nil {
			return err
		}
		if snap.State == "ok" && snap.Healing == nil {
			return nil
		}
		if !pause(ctx) {
			return fmt.Errorf("%s is not well: %s %s", host, snap.State, faults(snap))
		}
	}
}

func faults(s engine.Snapshot) string {
	var out []string
	for _, f := range s.Faults {
		out = append(out, fmt.Sprintf("%s %s (%s: %s)", f.Verdict, f.Fault, f.Action.Kind, f.Action.Reason))
	}
	return strings.Join(out, "; ")
}

// pause waits until the engine is to be asked again, and reports whether there is
// time left for it.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pace):
		return true
	}
}
