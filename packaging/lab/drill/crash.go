package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"watchdog/rules"
	"watchdog/rules/scenarios"
)

// A Crash is the engine killed at one step of one remedy, and what the next start
// made of it.
type Crash struct {
	Scenario string `json:"scenario"`
	Remedy   string `json:"remedy"`
	Number   int    `json:"number"`
	Step     string `json:"step"` // where it was killed
	// After is what the next start did, an attempt each.
	After []string `json:"after"`
	// Took is how long it took until all was well again, in seconds.
	Took  float64  `json:"took_seconds"`
	Wrong []string `json:"wrong"`
}

// Passed reports whether nothing was left half done.
func (c Crash) Passed() bool { return len(c.Wrong) == 0 }

// crashPath is where a build for drills reads at which step it is to end.
const crashPath = "/run/watchdog/crash-at"

// errNotForDrills says that the lab's program can't be killed at a step.
var errNotForDrills = errors.New("the program in the lab is not a build for drills: go build -tags drill, and lab up with it")

// PerRemedy picks one scenario for each remedy that heals one.
func PerRemedy(all []scenarios.Scenario) []scenarios.Scenario {
	seen := map[string]bool{}
	var out []scenarios.Scenario
	for _, s := range all {
		if r := remedyOf(s); s.Mode == scenarios.Heal && s.Acts.Most == 1 && !s.EngineRestarts && !seen[r] {
			seen[r] = true
			out = append(out, s)
		}
	}
	return out
}

// remedyOf is the first remedy for a scenario's cause.
func remedyOf(s scenarios.Scenario) string {
	for _, r := range rules.Table() {
		if r.Code == s.Cause.Code && len(r.Remedies) > 0 {
			return r.Remedy(0, s.Cause.Subject)
		}
	}
	return ""
}

// stepsMost bounds the steps of one remedy.
const stepsMost = 60

// Crashes kills the engine at every step of a scenario's remedy, one after the
// other, each time with the fault made anew. done hears of each.
func (r *Runner) Crashes(ctx context.Context, s scenarios.Scenario, done func(Crash)) error {
	for n := 1; n <= stepsMost; n++ {
		c := Crash{Scenario: s.ID, Remedy: remedyOf(s), Number: n}
		reached, err := r.crash(ctx, s, &c)
		if err != nil {
			return errors.Join(fmt.Errorf("crash %s at step %d: %w", s.ID, n, err), r.restore(ctx, s, true))
		}
		if !reached {
			if n == 1 {
				return errNotForDrills
			}
			return nil
		}
		done(c)
		if !c.Passed() {
			if err := r.restore(ctx, s, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// crash breaks the host, has the engine end at a step, and holds the next start
// to finishing or undoing. It reports whether that step was reached.
func (r *Runner) crash(ctx context.Context, s scenarios.Scenario, c *Crash) (reached bool, err error) {
	if err := r.prepare(ctx, s.Host); err != nil {
		return false, fmt.Errorf("before it: %w", err)
	}
	before, err := r.picture(ctx, s.Host)
	if err != nil {
		return false, err
	}
	var score Score
	p := &pass{Scenario: s, score: &score}
	if p.start, err = r.clock(ctx, s.Host); err != nil {
		return false, err
	}
	if _, err := r.sh(ctx, s.Host, fmt.Sprintf("echo %d > %s", c.Number, crashPath)); err != nil {
		return false, err
	}
	if err := r.atOnce(ctx, p); err != nil {
		return false, err
	}
	began := time.Now()
	attempts, err := r.await(ctx, p)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		c.Wrong = append(c.Wrong, err.Error())
	}
	c.Took = time.Since(began).Seconds()
	if err := r.outside(ctx, s.OutsideFix); err != nil {
		return false, err
	}
	if c.Step, err = r.killedAt(ctx, p); err != nil || c.Step == "" {
		return false, err
	}
	for _, a := range attempts {
		c.After = append(c.After, fmt.Sprintf("%s: %s", a.Remedy, a.Outcome))
		// Half of a remedy may turn the fault into another one of the same cure:
		// a service whose failure was forgotten is a stopped one.
		if !matches(s.Cause, a.Fault) && a.Remedy != c.Remedy {
			c.Wrong = append(c.Wrong, fmt.Sprintf("acted on %s (%s, %s)", a.Fault, a.Remedy, a.Outcome))
		}
	}
	after, err := r.picture(ctx, s.Host)
	if err != nil {
		return true, err
	}
	s.Restarts = append(slices.Clone(s.Restarts), engineService)
	before.compare(after, s, &score)
	c.Wrong = append(c.Wrong, score.Wrong...)
	out, err := r.sh(ctx, s.Host, "ls /var/lib/watchdog/journal")
	if left := strings.Fields(string(out)); err == nil && len(left) > 0 {
		c.Wrong = append(c.Wrong, "left in the journal: "+strings.Join(left, ", "))
	}
	return true, err
}

// killedAt returns the step at which the engine ended, empty when it healed
// before it came there.
func (r *Runner) killedAt(ctx context.Context, p *pass) (string, error) {
	out, err := r.sh(ctx, p.Host, fmt.Sprintf("rm -f %s; journalctl -u %s --since @%d -o cat --no-pager | sed -n 's/^drill: killed at step [0-9]*: //p' | tail -n 1",
		crashPath, engineUnit, p.start.Unix()))
	return strings.TrimSpace(string(out)), err
}

// PrintCrashes writes crashes as a table for people.
func PrintCrashes(w io.Writer, crashes []Crash) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "remedy\tdrill\tkilled\tthen\twell after\tresult")
	for _, c := range crashes {
		result := "nothing half done"
		if !c.Passed() {
			result = strings.Join(c.Wrong, "; ")
		}
		fmt.Fprintf(t, "%s\t%s\t%d %s\t%s\t%.1f s\t%s\n", c.Remedy, c.Scenario, c.Number, c.Step, strings.Join(c.After, ", "), c.Took, result)
	}
	return t.Flush()
}
