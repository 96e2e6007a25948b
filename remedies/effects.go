package remedies

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	runs := func(ctx context.Context) (bool, error) { return d.runs(ctx, h) }
	if err := awaitOrEnd(ctx, runs); err != nil || d.Ready == nil {
		return err
	}
	return awaitOrEnd(ctx, func(ctx context.Context) (bool, error) {
		err := d.Ready(ctx, h)
		if err == nil {
			return false, nil
		}
		// What has ended will not get ready: with Type=exec a server counts as
		// running from its first moment, whatever it dies of later.
		if over, ended := runs(ctx); over {
			return true, errors.Join(ended, err)
		}
		return false, err
	})
}

// runs returns nil when the unit runs, or why not, and whether that is for good.
func (d Do) runs(ctx context.Context, h *host.Host) (over bool, err error) {
	u, err := h.Init.Unit(ctx, d.Unit)
	if err != nil {
		return false, err
	}
	switch u.State {
	case host.Running:
		return false, nil
	case host.Starting, host.Stopping:
	default: // the job is done: its manager tries no more
		over = true
	}
	why := u.Detail
	if u.Result != "" && !strings.Contains(why, u.Result) {
		why = strings.TrimPrefix(why+", result "+u.Result, ", ")
	}
	return over, fmt.Errorf("%s is %s: %s", d.Unit, u.State, why)
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

// awaitOrEnd is [Await] of what may also be over for good: then its error is
// final and nothing is waited for.
func awaitOrEnd(ctx context.Context, ok func(context.Context) (over bool, err error)) error {
	var end error
	err := Await(ctx, func(ctx context.Context) error {
		over, err := ok(ctx)
		if over {
			end = err
			return nil
		}
		return err
	})
	return errors.Join(err, end)
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

// Until is an effect that does nothing but wait.
type Until struct {
	What  string // "keycloak is ready"
	Ready func(ctx context.Context, h *host.Host) error
}

func (u Until) String() string { return "wait until " + u.What }

// Do implements [Effect].
func (u Until) Do(context.Context, Hands) error { return nil }

// Settled implements [Effect].
func (u Until) Settled(ctx context.Context, h *host.Host) error {
	return Await(ctx, func(ctx context.Context) error { return u.Ready(ctx, h) })
}
