package drill

import (
	"context"
	"errors"
	"fmt"

	"watchdog/rules/scenarios"
)

// before brings a healthy host to where the fault can befall it, under the kill
// switch, and waits until it is well again.
func (r *Runner) before(ctx context.Context, s scenarios.Scenario) error {
	if s.Before == "" {
		return nil
	}
	_, err := r.sh(ctx, s.Host, "touch "+hold+"\n"+s.Before)
	_, off := r.sh(context.WithoutCancel(ctx), s.Host, "rm -f "+hold)
	if err := errors.Join(err, off); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	return r.healthy(ctx, s.Host)
}
