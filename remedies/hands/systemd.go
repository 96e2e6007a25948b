package hands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"watchdog/remedies"
)

// systemd does things to units over D-Bus.
type systemd struct {
	// dial connects for one call. The connection ends with ctx.
	dial func(ctx context.Context) (*dbus.Conn, error)
}

// dialSystemd connects to systemd itself, which does not need dbus-daemon to
// live, or else to the system bus. The results of jobs come over either without
// Manager.Subscribe, which has been seen not to answer over the first.
func dialSystemd(ctx context.Context) (*dbus.Conn, error) {
	c, err := dbus.NewSystemdConnectionContext(ctx)
	if err == nil {
		return c, nil
	}
	c, err2 := dbus.NewSystemConnectionContext(ctx)
	if err2 != nil {
		return nil, errors.Join(err, err2)
	}
	return c, nil
}

func (s systemd) do(ctx context.Context, unit string, v remedies.Verb) error {
	err := s.try(ctx, unit, v)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if unit == "" {
		return fmt.Errorf("%s: %w", v, err)
	}
	return fmt.Errorf("%s %s: %w%s; see: systemctl status %s, journalctl -u %s", v, unit, err, s.state(ctx, unit), unit, unit)
}

func (s systemd) try(ctx context.Context, unit string, v remedies.Verb) error {
	c, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer c.Close()
	switch v {
	case remedies.Start:
		return job(ctx, c.StartUnitContext, unit)
	case remedies.Stop:
		return job(ctx, c.StopUnitContext, unit)
	case remedies.Restart:
		return job(ctx, c.RestartUnitContext, unit)
	case remedies.Reload:
		return job(ctx, c.ReloadUnitContext, unit)
	case remedies.Enable:
		return enable(ctx, c, unit)
	case remedies.Disable:
		_, err := c.DisableUnitFilesContext(ctx, []string{unit}, false)
		return reread(ctx, c, err)
	case remedies.Unmask:
		// A mask may be for ever or until the next boot.
		_, err := c.UnmaskUnitFilesContext(ctx, []string{unit}, false)
		if err == nil {
			_, err = c.UnmaskUnitFilesContext(ctx, []string{unit}, true)
		}
		return reread(ctx, c, err)
	case remedies.ResetFailed:
		return c.ResetFailedUnitContext(ctx, unit)
	case remedies.Reread:
		return c.ReloadContext(ctx)
	case remedies.Kill:
		return c.KillUnitWithTarget(ctx, unit, dbus.All, int32(unix.SIGKILL))
	}
	return errors.New("systemd has no such verb")
}

// job starts a job and waits for its result. "replace" takes the place of a job
// that hangs.
func job(ctx context.Context, start func(context.Context, string, string, chan<- string) (int, error), unit string) error {
	results := make(chan string, 1)
	if _, err := start(ctx, unit, "replace", results); err != nil {
		return err
	}
	select {
	case result := <-results:
		if result != "done" {
			return fmt.Errorf("the job ended as %q", result)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func enable(ctx context.Context, c *dbus.Conn, unit string) error {
	installable, changes, err := c.EnableUnitFilesContext(ctx, []string{unit}, false, false)
	if err == nil && !installable && len(changes) == 0 {
		return errors.New("its file has no [Install] section, so that nothing can start it at boot but another unit that wants it")
	}
	return reread(ctx, c, err)
}

// reread lets systemd see what became of the links of units, as systemctl does.
func reread(ctx context.Context, c *dbus.Conn, err error) error {
	if err != nil {
		return err
	}
	return c.ReloadContext(ctx)
}

// glance is how long asking for a unit's state may take when something has
// failed already.
const glance = 2 * time.Second

// state says what a unit is doing, for an error: " (the unit is
// failed, exit-code)". Nothing of what the service itself said is in it.
func (s systemd) state(ctx context.Context, unit string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), glance)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return ""
	}
	defer c.Close()
	units, err := c.ListUnitsByNamesContext(ctx, []string{unit})
	if err != nil || len(units) != 1 {
		return ""
	}
	u := units[0]
	if u.LoadState != "loaded" {
		return fmt.Sprintf(" (the unit is %s)", u.LoadState)
	}
	how := u.SubState
	if strings.HasSuffix(unit, ".service") && u.ActiveState == "failed" {
		if p, err := c.GetServicePropertyContext(ctx, unit, "Result"); err == nil {
			how, _ = p.Value.Value().(string)
		}
	}
	return fmt.Sprintf(" (the unit is %s, %s)", u.ActiveState, how)
}
