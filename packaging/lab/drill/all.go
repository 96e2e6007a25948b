package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"watchdog/rules/scenarios"
)

// All runs drills one after the other and says how each went as it goes. With
// resume, those that an earlier run with the same programs passed are not run
// again: their scores are taken over. A drill that could not be run has a score
// that says so; an error is what kept the drills from going on.
func (r *Runner) All(ctx context.Context, all []scenarios.Scenario, resume bool) (scores []Score, err error) {
	scores = []Score{}
	kept, err := r.open(ctx)
	if err != nil {
		return scores, err
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	lost := map[string]*Lost{}
	for i, s := range all {
		fmt.Fprintf(r.Log, "drill %d of %d  %s (%s) … ", i+1, len(all), s.ID, s.Mode)
		score, passed := kept.passed(s.ID)
		if resume && passed {
			fmt.Fprintln(r.Log, "passed before")
			scores = append(scores, score)
			continue
		}
		if l := lost[s.Host]; l != nil && !r.wellNow(ctx, s.Host) {
			score, err = Score{ID: s.ID, Mode: s.Mode, Cause: s.Cause, NotRun: l.Error()}, nil
		} else {
			score, err = r.Run(ctx, s)
		}
		fmt.Fprintf(r.Log, "%s, %.1f s\n", score.result(), score.Took)
		scores = append(scores, score)
		if ctx.Err() != nil {
			return scores, cmp.Or(err, ctx.Err())
		}
		var l *Lost
		if errors.As(err, &l) {
			lost[s.Host] = l
			fmt.Fprintln(r.Log, oneLine(l.Error()))
		}
		if err := kept.add(score); err != nil {
			return scores, err
		}
	}
	return scores, nil
}

// wellNow reports whether a host is well without waiting for it.
func (r *Runner) wellNow(ctx context.Context, host string) bool {
	snap, err := r.status(ctx, host)
	return err == nil && snap.State == "ok"
}

// result says how the drill went in one line.
func (s Score) result() string {
	switch {
	case s.NotRun != "":
		return "could not be run: " + oneLine(s.NotRun)
	case len(s.Wrong) > 0:
		return "failed: " + oneLine(strings.Join(s.Wrong, "; "))
	}
	return "passed"
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
