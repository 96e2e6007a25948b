package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watchdog/rules/scenarios"
)

// Lost says that a host could not be made well again after a drill.
type Lost struct {
	Host string
	err  error
}

func (l *Lost) Error() string {
	return fmt.Sprintf("%s could not be made well again: %v", l.Host, l.err)
}

func (l *Lost) Unwrap() error { return l.err }

// restore makes a host well again after a drill that did not pass: by the drill's
// own fix where it may have been broken, and by the program's verbs where that is
// not enough. A person who interrupts a drill gets the fix, and no more waiting.
func (r *Runner) restore(ctx context.Context, s scenarios.Scenario, broke bool) error {
	interrupted := ctx.Err() != nil
	if interrupted {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
	}
	_, err := r.sh(ctx, s.Host, "rm -f "+hold+"; "+thaw+"; systemctl start "+engineUnit)
	if broke {
		_, fixed := r.sh(ctx, s.Host, s.Free+"\n"+s.Fix)
		err = errors.Join(err, r.outside(ctx, s.OutsideFix), fixed)
	}
	if interrupted {
		return err
	}
	for _, verb := range []string{"", "watchdog resume; watchdog heal", "watchdog install"} {
		_, tried := r.sh(ctx, s.Host, verb)
		if err = r.healthy(ctx, s.Host); err == nil {
			return nil
		}
		err = errors.Join(err, tried)
	}
	return &Lost{s.Host, err}
}
