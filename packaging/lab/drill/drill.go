// Package drill rehearses the faults of the book on the lab: each scenario is
// broken for real, held to its row, and timed against the bare fix.
//
// A drill whose fault is to be healed, on a healthy host:
//
//  1. the kill switch on: break, diagnose must name the one cause, then the bare
//     fix is typed and timed until users are served;
//  2. the kill switch off: break again, and the engine has to find, heal and
//     prove it, with no other attempt, no other restart, and every file as it was.
//
// Where a person has to approve, the engine has to ask and to keep its hands off
// until then. Where a fault is only reported there is one pass, with the engine
// free: it has to see the cause and to leave it alone, diagnose has to say what
// the person needs, and the person's fix has to end it. Where something stands in
// the way of healing, it is reported so until that is gone, and healed then.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"watchdog/packaging/lab"
	"watchdog/rules"
	"watchdog/rules/scenarios"
)

// A Runner runs drills on one lab.
type Runner struct {
	Lab *lab.Lab
	Log io.Writer // progress for people
}

// A Score is how one drill went. Times are seconds.
type Score struct {
	ID    string         `json:"id"`
	Mode  scenarios.Mode `json:"mode"`
	Cause rules.Ref      `json:"cause"`
	// Named is what diagnose named, and Acted what the engine acted on.
	Named []string `json:"named"`
	Acted []string `json:"acted"`
	// Detect is from the end of the break to the engine's first sight. Confirm
	// is from there to the remedy's start, or from the approval or the release
	// on where one was waited for; Heal from there to the proof. What is only
	// reported has neither.
	Detect  float64 `json:"detect_seconds"`
	Confirm float64 `json:"confirm_seconds"`
	Heal    float64 `json:"heal_seconds"`
	// Bare is how long the bare fix took until users were served; a release has
	// none.
	Bare float64 `json:"bare_seconds"`
	// Took is how long the whole drill took.
	Took float64 `json:"took_seconds"`
	// Collateral lists services restarted beyond the row, Changed the files
	// that are not as before.
	Collateral []string `json:"collateral"`
	Changed    []string `json:"changed"`
	// Wrong says in which ways the drill failed; none when it passed.
	Wrong []string `json:"wrong"`
	// NotRun says why the drill could not be run, if it could not.
	NotRun string `json:"not_run,omitempty"`
}

// Passed reports whether the program was held to the row and stood.
func (s Score) Passed() bool { return len(s.Wrong) == 0 && s.NotRun == "" }

// Bound is the most that healing may take: 1.1 × the bare fix plus a second. It
// is printed, and judged in benchmarks: machines are noisy.
func (s Score) Bound() float64 { return 1.1*s.Bare + 1 }

func (s *Score) wrong(format string, args ...any) {
	s.Wrong = append(s.Wrong, fmt.Sprintf(format, args...))
}

// patience bounds each wait of a drill.
const patience = 3 * time.Minute

// Run runs one drill. An error says that it could not be run; what the program
// did wrong is in the score. A host that the drill left broken is restored: where
// that did not work either, the error is a [Lost].
func (r *Runner) Run(ctx context.Context, s scenarios.Scenario) (Score, error) {
	start := time.Now()
	score := Score{ID: s.ID, Mode: s.Mode, Cause: s.Cause}
	broke, err := r.run(ctx, s, &score)
	score.Took = time.Since(start).Seconds()
	if err != nil {
		score.NotRun = err.Error()
		err = fmt.Errorf("drill %s: %w", s.ID, err)
	}
	if !score.Passed() {
		err = errors.Join(err, r.restore(ctx, s, broke))
	}
	if broke && s.After != "" {
		if _, over := r.sh(context.WithoutCancel(ctx), s.Host, s.After); over != nil {
			err = errors.Join(err, fmt.Errorf("drill %s: after it: %w", s.ID, over))
		}
	}
	return score, err
}

// run runs the passes of a drill, and reports whether the host may have been
// broken by it.
func (r *Runner) run(ctx context.Context, s scenarios.Scenario, score *Score) (broke bool, err error) {
	if err := r.able(ctx, s); err != nil {
		return false, err
	}
	if err := r.prepare(ctx, s.Host); err != nil {
		return false, fmt.Errorf("before it: %w", err)
	}
	if s.Mode == scenarios.Heal || s.Mode == scenarios.Ask {
		if err := r.before(ctx, s); err != nil {
			return true, err
		}
		if err := r.bare(ctx, s, score); err != nil {
			return true, fmt.Errorf("bare fix: %w", err)
		}
		if err := r.prepare(ctx, s.Host); err != nil {
			return true, fmt.Errorf("after the bare fix: %w", err)
		}
	}
	if err := r.before(ctx, s); err != nil {
		return true, err
	}
	return true, r.free(ctx, s, score)
}

// able reports why the program in the host can't do what the drill needs of it.
func (r *Runner) able(ctx context.Context, s scenarios.Scenario) error {
	if !s.DrillBuild {
		return nil
	}
	out, err := r.sh(ctx, s.Host, "watchdog version")
	if err == nil && !strings.Contains(string(out), "drill build") {
		err = fmt.Errorf("it needs a drill build, and the program in %s is none: bring the lab up with one made by go build -tags drill", s.Host)
	}
	return err
}

// prepare waits until the host is well, and gives back what the engine has spent
// of its budgets: that is not the next pass's.
func (r *Runner) prepare(ctx context.Context, host string) error {
	if err := r.healthy(ctx, host); err != nil {
		return err
	}
	if _, err := r.sh(ctx, host, "watchdog resume"); err != nil {
		return fmt.Errorf("give back the budgets: %w", err)
	}
	return nil
}

// matches reports whether ref is the wanted cause; a row without a subject takes
// any.
func matches(want, ref rules.Ref) bool {
	return want.Code == ref.Code && (want.Subject == "" || want.Subject == ref.Subject)
}
