package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/rules"
	"watchdog/rules/scenarios"
)

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
	if _, err := r.sh(ctx, s.Host, s.Break); err != nil {
		return fmt.Errorf("break: %w", err)
	}
	if err := r.outside(ctx, s.Outside); err != nil {
		return err
	}
	if err := r.settle(ctx, s); err != nil {
		return err
	}
	if err := r.diagnosed(ctx, s, score, ""); err != nil {
		return err
	}
	return r.mend(ctx, s, score)
}

func (r *Runner) settle(ctx context.Context, s scenarios.Scenario) error {
	if _, err := r.sh(ctx, s.Host, s.Settle); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// mend does what a person would, and times it until users are served.
func (r *Runner) mend(ctx context.Context, s scenarios.Scenario, score *Score) error {
	start := time.Now()
	if err := r.outside(ctx, s.OutsideFix); err != nil {
		return err
	}
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

// A diagnosis is what is read of "watchdog diagnose --json".
type diagnosis struct {
	Causes []struct {
		rules.Ref
		Title, Summary string
		Evidence       []probes.Evidence
		Fix            []rules.Fix
	}
}

// diagnosed asks a person's question in the middle of the fault. What status says
// of it counts as said too.
func (r *Runner) diagnosed(ctx context.Context, s scenarios.Scenario, score *Score, status string) error {
	limit, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var d diagnosis
	for len(d.Causes) == 0 {
		out, err := r.sh(limit, s.Host, "watchdog diagnose --json")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limit.Err() != nil:
			score.wrong("diagnose named no cause")
			return nil
		case len(out) == 0:
			return fmt.Errorf("diagnose: %w", err)
		}
		if err := json.Unmarshal(out, &d); err != nil {
			return fmt.Errorf("read diagnose --json: %w", err)
		}
	}
	said := []string{status}
	for _, c := range d.Causes {
		if name := c.Ref.String(); !slices.Contains(score.Named, name) { // both passes ask
			score.Named = append(score.Named, name)
		}
		if !matches(s.Cause, c.Ref) {
			score.wrong("diagnose named %s as a cause", c.Ref)
			continue
		}
		said = append(said, c.Title, c.Summary)
		for _, e := range c.Evidence {
			said = append(said, e.Source, e.Want, e.Got, e.Command)
		}
		for _, f := range c.Fix {
			said = append(said, f.String())
		}
	}
	return r.says(ctx, s, score, strings.Join(said, "\n"))
}

// says holds what was said to what the row wants said.
func (r *Runner) says(ctx context.Context, s scenarios.Scenario, score *Score, said string) error {
	for _, want := range s.Says {
		if strings.Contains(want, "$(") {
			out, err := r.sh(ctx, s.Host, `printf %s "`+want+`"`)
			if err != nil {
				return fmt.Errorf("complete %q: %w", want, err)
			}
			want = string(out)
		}
		if !strings.Contains(said, want) {
			score.wrong("not said: %q", want)
		}
	}
	return nil
}
