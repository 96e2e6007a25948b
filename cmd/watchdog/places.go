package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"watchdog/exporters/control"
	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// places are where the engine and what it remembers are on a host.
type places struct {
	socket string
	state  string // a directory
}

func hostPlaces() places { return places{socket: control.Socket, state: ledger.Dir} }

// snapshot is what the running engine knows.
func (at places) snapshot(ctx context.Context) (engine.Snapshot, error) {
	c := control.NewClient(at.socket)
	defer c.Close()
	return c.Snapshot(ctx)
}

// history reads incidents through the engine, which has the ledger open, or from
// the ledger itself where no engine runs.
func (at places) history(ctx context.Context, q ledger.Query) (h ledger.History, err error) {
	err = at.past(
		func(c *control.Client) error { h, err = c.History(ctx, q); return err },
		func(l *ledger.Ledger) error { h, err = l.History(q); return err },
	)
	return h, err
}

// recording reads one recording as JSON; nothing when there is none.
func (at places) recording(ctx context.Context, id string) (data []byte, err error) {
	err = at.past(
		func(c *control.Client) error { data, err = c.Recording(ctx, id); return err },
		func(l *ledger.Ledger) error { data, err = l.ReadRecording(id); return err },
	)
	return data, err
}

// past asks the engine, or the ledger where there is no engine.
func (at places) past(ask func(*control.Client) error, read func(*ledger.Ledger) error) error {
	c := control.NewClient(at.socket)
	defer c.Close()
	err := ask(c)
	if !errors.Is(err, control.ErrNoEngine) {
		return err
	}
	l, err := ledger.View(at.state)
	if err != nil {
		return fmt.Errorf("%w, and no ledger can be read: %w", control.ErrNoEngine, err)
	}
	return errors.Join(read(l), l.Close())
}

// cannotTell prints why something could not be found out and ends with the exit
// code that says so.
func cannotTell(c *cobra.Command, err error) error {
	fmt.Fprintf(c.ErrOrStderr(), "watchdog: %v\n", err)
	if errors.Is(err, fs.ErrPermission) {
		fmt.Fprintf(c.ErrOrStderr(), "root, or a member of the group %s, may ask: %s\n", control.Group, asRoot())
	} else if errors.Is(err, control.ErrNoEngine) {
		fmt.Fprintln(c.ErrOrStderr(), "is it running? systemctl status watchdog-engine.service (diagnose works without it)")
	}
	return exitCode(exitBlind)
}
