package hands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// services is what a service manager's driver does. A new manager is one more
// file with this method and a line in driver.
type services interface {
	do(ctx context.Context, unit string, v remedies.Verb) error
}

func driver(init host.InitSystem) services {
	switch init {
	case host.Systemd:
		return systemd{dial: dialSystemd}
	}
	return unmanaged{init}
}

// patience is how long each verb may take. Without it a start can hang for
// ever, as on a full disk.
var patience = map[remedies.Verb]time.Duration{
	remedies.Start:       90 * time.Second,
	remedies.Restart:     90 * time.Second,
	remedies.Stop:        60 * time.Second,
	remedies.Reload:      15 * time.Second,
	remedies.Enable:      5 * time.Second,
	remedies.Disable:     5 * time.Second,
	remedies.Unmask:      5 * time.Second,
	remedies.ResetFailed: 5 * time.Second,
	remedies.Reread:      5 * time.Second,
	remedies.Kill:        5 * time.Second,
}

// Service implements [remedies.Services].
func (w *Hands) Service(ctx context.Context, unit string, v remedies.Verb) error {
	limit, ok := patience[v]
	switch {
	case !ok:
		return fmt.Errorf("%s %s: not something that is done to a service", v, unit)
	case (unit == "") != (v == remedies.Reread):
		return fmt.Errorf("%s %q: want a unit's name, but for %s none", v, unit, remedies.Reread)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	defer cancel()
	return w.services.do(ctx, unit, v)
}

// unmanaged is the driver where no service manager was found.
type unmanaged struct{ init host.InitSystem }

func (u unmanaged) do(_ context.Context, unit string, v remedies.Verb) error {
	if u.init == "" {
		return fmt.Errorf("%s %s: %w", v, unit, errNoManager)
	}
	return fmt.Errorf("%s %s: no driver for service manager %s", v, unit, u.init)
}

var errNoManager = errors.New("no service manager that is known runs here")
