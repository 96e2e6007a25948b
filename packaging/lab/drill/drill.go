// Package drill rehearses the faults of the book on the lab: each scenario is
// broken for real, held to its row, and timed against the bare fix.
//
// One drill, on a healthy host:
//
//  1. the kill switch on: break, diagnose must name the one cause, then the bare
//     fix is typed and timed until users are served;
//  2. the kill switch off: break again, and the engine has to find, heal and
//     prove it, with no other attempt, no other restart, and every file as it was.
package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"watchdog/packaging/lab"
	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/scenarios"
)

// A Runner runs drills on one lab.
type Runner struct {
	Lab *lab.Lab
	Log io.Writer // progress for people
}

// A Score is how one drill went. Times are seconds.
type Score struct {
	ID    string    `json:"id"`
	Cause rules.Ref `json:"cause"`
	// Named is what diagnose named, and Acted what the engine acted on.
	Named []string `json:"named"`
	Acted []string `json:"acted"`
	// Detect is from the end of the break to the engine's first sight, Confirm
	// from there to the remedy's start, Heal from there to the proof.
	Detect  float64 `json:"detect_seconds"`
	Confirm float64 `json:"confirm_seconds"`
	Heal    float64 `json:"heal_seconds"`
	// Bare is how long the bare fix took until users were served.
	Bare float64 `json:"bare_seconds"`
	// Collateral lists services restarted beyond the row, Changed the files
	// that are not as before.
	Collateral []string `json:"collateral"`
	Changed    []string `json:"changed"`
	// Wrong says in which ways the drill failed; none when it passed.
	Wrong []string `json:"wrong"`
}

// Passed reports whether the program was held to the row and stood.
func (s Score) Passed() bool { return len(s.Wrong) == 0 }

// Bound is the most that healing may take: 1.1 × the bare fix plus a second. It
// is printed, and judged in benchmarks: machines are noisy.
func (s Score) Bound() float64 { return 1.1*s.Bare + 1 }

func (s *Score) wrong(format string, args ...any) {
	s.Wrong = append(s.Wrong, fmt.Sprintf(format, args...))
}

// patience bounds each wait of a drill.
const patience = 3 * time.Minute

// Run runs one drill. An error says that it could not be run; what the program
// did wrong is in the score.
func (r *Runner) Run(ctx context.Context, s scenarios.Scenario) (Score, error) {
	score := Score{ID: s.ID, Cause: s.Cause}
	if err := r.healthy(ctx, s.Host); err != nil {
		return score, fmt.Errorf("drill %s: before it: %w", s.ID, err)
	}
	if err := r.bare(ctx, s, &score); err != nil {
		return score, fmt.Errorf("drill %s: bare fix: %w", s.ID, err)
	}
	if err := r.healthy(ctx, s.Host); err != nil {
		return score, fmt.Errorf("drill %s: after the bare fix: %w", s.ID, err)
	}
	if err := r.healed(ctx, s, &score); err != nil {
		return score, fmt.Errorf("drill %s: %w", s.ID, err)
	}
	return score, nil
}

const hold = "/etc/watchdog/hold"

// bare breaks the host under the kill switch, holds diagnose to the cause, and
// times the fix that a person would type.
func (r *Runner) bare(ctx context.Context, s scenarios.Scenario, score *Score) (err error) {
	if _, err := r.sh(ctx, s.Host, "touch "+hold); err != nil {
		return err
	}
	defer func() {
		_, off := r.sh(context.WithoutCancel(ctx), s.Host, "rm -f "+hold)
		err = errors.Join(err, off)
	}()
	if _, err := r.sh(ctx, s.Host, s.Break+s.Settle); err != nil {
		return fmt.Errorf("break: %w", err)
	}
	if err := r.diagnosed(ctx, s, score); err != nil {
		return err
	}
	start := time.Now()
	if _, err := r.sh(ctx, s.Host, s.Fix); err != nil {
		return fmt.Errorf("fix: %w", err)
	}
	wait := "until ( " + strings.TrimSpace(s.Ready) + " ) 2>/dev/null; do sleep 0.1; done"
	if _, err := r.sh(ctx, s.Host, wait); err != nil {
		return fmt.Errorf("wait until the fix has taken: %w", err)
	}
	score.Bare = time.Since(start).Seconds()
	return nil
}

// diagnosed asks a person's question in the middle of the fault.
func (r *Runner) diagnosed(ctx context.Context, s scenarios.Scenario, score *Score) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var report struct {
		Causes []rules.Ref `json:"causes"`
	}
	for len(report.Causes) == 0 {
		out, err := r.sh(ctx, s.Host, "watchdog diagnose --json")
		if len(out) == 0 {
			return fmt.Errorf("diagnose: %w", err)
		}
		if err := json.Unmarshal(out, &report); err != nil {
			return fmt.Errorf("read diagnose --json: %w", err)
		}
		if err := ctx.Err(); err != nil {
			score.wrong("diagnose named no cause")
			return nil
		}
	}
	for _, c := range report.Causes {
		score.Named = append(score.Named, c.String())
		if !matches(s.Cause, c) {
			score.wrong("diagnose named %s as a cause", c)
		}
	}
	return nil
}

// healed breaks the host with the engine free to act, and holds it to the row.
func (r *Runner) healed(ctx context.Context, s scenarios.Scenario, score *Score) error {
	before, err := r.picture(ctx, s.Host)
	if err != nil {
		return err
	}
	start, err := r.clock(ctx, s.Host)
	if err != nil {
		return err
	}
	broken, err := r.atOnce(ctx, s)
	if err != nil {
		return fmt.Errorf("break: %w", err)
	}
	attempts, err := r.await(ctx, s.Host, start)
	if err != nil {
		score.wrong("not healed: %v", err)
		return nil
	}
	for _, a := range attempts {
		score.Acted = append(score.Acted, a.Fault.String())
		switch {
		case !matches(s.Cause, a.Fault):
			score.wrong("acted on %s (%s, %s)", a.Fault, a.Remedy, a.Outcome)
		case a.Outcome != rules.Healed:
			score.wrong("an attempt by %s %s: %s", a.Remedy, a.Outcome, a.Detail)
		default:
			score.Detect = max(0, a.Seen.Sub(broken).Seconds())
			score.Confirm = a.At.Sub(a.Seen).Seconds()
			score.Heal = a.Ended.Sub(a.At).Seconds()
		}
	}
	after, err := r.picture(ctx, s.Host)
	if err != nil {
		return err
	}
	before.compare(after, s, score)
	return nil
}

// atOnce breaks the host while the engine's process is frozen, so that a break
// of several commands befalls it in one instant, and returns that instant. What
// happens on the host meanwhile is queued for it by the kernel and the bus.
func (r *Runner) atOnce(ctx context.Context, s scenarios.Scenario) (time.Time, error) {
	const engine = "systemctl kill --kill-whom=main -s %s watchdog-engine.service"
	if _, err := r.sh(ctx, s.Host, fmt.Sprintf(engine, "STOP")); err != nil {
		return time.Time{}, err
	}
	_, err := r.sh(ctx, s.Host, s.Break)
	at, thaw := r.clock(context.WithoutCancel(ctx), s.Host, fmt.Sprintf(engine, "CONT"))
	return at, errors.Join(err, thaw)
}

// quiet is how long the host has to stay well to count as healed.
const quiet = 3 * time.Second

// await waits until the engine has acted and all is well again and stays so. It
// returns the attempts made since start.
func (r *Runner) await(ctx context.Context, host string, start time.Time) ([]rules.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var since time.Time
	for {
		snap, err := r.status(ctx, host)
		if err != nil {
			return nil, err
		}
		var attempts []rules.Attempt
		for _, a := range snap.Recent {
			if a.At.After(start) {
				attempts = append(attempts, a)
			}
		}
		switch {
		case len(attempts) == 0 || snap.State != "ok" || snap.Healing != nil:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > quiet:
			return attempts, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("state %s after %s: %s", snap.State, patience, faults(snap))
		case <-time.After(250 * time.Millisecond):
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

// healthy waits until the engine has looked at everything and sees nothing wrong.
func (r *Runner) healthy(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		snap, err := r.status(ctx, host)
		if err == nil && snap.State == "ok" && snap.Healing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is not well: %s %s", host, snap.State, faults(snap)), err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (r *Runner) status(ctx context.Context, host string) (engine.Snapshot, error) {
	var snap engine.Snapshot
	out, err := r.sh(ctx, host, "watchdog status --json")
	if len(out) == 0 {
		return snap, fmt.Errorf("ask the engine on %s: %w", host, err)
	}
	if err := json.Unmarshal(out, &snap); err != nil {
		return snap, fmt.Errorf("read status --json: %w", err)
	}
	return snap, nil
}

// clock is the host's time, by the clock that stamps what the engine does, just
// before the commands of then.
func (r *Runner) clock(ctx context.Context, host string, then ...string) (time.Time, error) {
	out, err := r.sh(ctx, host, strings.Join(append([]string{"date +%s%N"}, then...), " && "))
	if err != nil {
		return time.Time{}, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock of %s: %w", host, err)
	}
	return time.Unix(0, ns), nil
}

// sh runs a script in a host as root, and returns what it printed. A non-zero
// exit is an error that carries the end of what it said.
func (r *Runner) sh(ctx context.Context, host, script string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, errs bytes.Buffer
	code, err := r.Lab.Exec(ctx, host, []string{"sh", "-c", script}, nil, &out, &errs)
	if err == nil && code != 0 {
		said := strings.TrimSpace(errs.String())
		err = fmt.Errorf("exit code %d: %s", code, said[max(0, len(said)-300):])
	}
	return out.Bytes(), err
}

// matches reports whether ref is the wanted cause; a row without a subject takes
// any.
func matches(want, ref rules.Ref) bool {
	return want.Code == ref.Code && (want.Subject == "" || want.Subject == ref.Subject)
}
