package remedies

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watchdog/probes/host"
)

// Do is the effect of one verb on one unit. It settles when the unit has the
// state the verb leads to and, if Ready is given, when Ready says so. When its
// plan is put back, a unit that ran before gets the files of before, and one
// that did not is stopped; so with what starts at boot.
type Do struct {
	Verb Verb
	Unit string
	// Ready, when not nil, is asked until it returns nil: what the service's
	// users need before it can be called back.
	Ready func(ctx context.Context, h *host.Host) error
}

func (d Do) String() string {
	if d.Unit == "" {
		return string(d.Verb)
	}
	return string(d.Verb) + " " + d.Unit
}

// Do implements [Effect].
func (d Do) Do(ctx context.Context, w Hands) error {
	return w.Service(ctx, d.Unit, d.Verb)
}

// Settled implements [Effect].
func (d Do) Settled(ctx context.Context, h *host.Host) error {
	switch d.Verb {
	case Start, Restart, Reload:
	default:
		return nil
	}
	var failed error
	err := Await(ctx, func(ctx context.Context) error {
		u, err := h.Init.Unit(ctx, d.Unit)
		if err != nil {
			return err
		}
		err = fmt.Errorf("%s is %s: %s", d.Unit, u.State, u.Detail)
		switch u.State {
		case host.Running:
			return nil
		case host.Failed: // for good: its manager tries no more
			failed = err
			return nil
		}
		return err
	})
	if err = errors.Join(err, failed); err != nil || d.Ready == nil {
		return err
	}
	return Await(ctx, func(ctx context.Context) error { return d.Ready(ctx, h) })
}

// poll is the time between two looks of Await: short beside any service's
// start, long beside what a look costs.
const poll = 100 * time.Millisecond

// Await asks until ok returns nil, or ctx ends; then it returns the last answer
// that was not cut short by that, which says what was still missing.
func Await(ctx context.Context, ok func(context.Context) error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	var missing error
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || missing == nil {
			missing = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait: %w", ctx.Err()), missing)
		case <-tick.C:
		}
	}
}

// Call is an effect or a gate by one command of the closed list.
type Call struct {
	Command Command
	What    string // "load the rules with nft -f …"
}

func (c Call) String() string { return c.What }

// Do implements [Effect].
func (c Call) Do(ctx context.Context, w Hands) error {
	_, err := w.Run(ctx, c.Command)
	return err
}

// Pass implements [Gate].
func (c Call) Pass(ctx context.Context, w Hands) error { return c.Do(ctx, w) }

// Settled implements [Effect].
func (c Call) Settled(context.Context, *host.Host) error { return nil }
