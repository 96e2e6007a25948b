package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"watchdog/exporters/control"
	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

func runCommand() *cobra.Command {
	var site siteFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the engine: look, diagnose and heal (the service)",
		Long: `Run the engine until it is told to end: it looks at this host all the time, finds
the cause of what is wrong, heals what it knows how to heal, and proves it. It
listens on a unix socket only; "watchdog export" serves the metrics.

While the file /etc/watchdog/hold exists it changes nothing.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot(c); err != nil {
				return err
			}
			m, err := site.open(c.Context())
			if err != nil {
				return err
			}
			return m.run(c.Context(), c.ErrOrStderr())
		},
	}
	site.add(c)
	return c
}

// run wires the engine to the control socket and runs both until ctx ends.
func (m *machine) run(ctx context.Context, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))
	byID, err := m.remediesByID()
	if err != nil {
		return usageError{err}
	}
	// Without its ledger the engine goes on looking, and changes nothing: it
	// would not know what it has tried.
	policy := m.policy
	var memory engine.Ledger
	led, attempts, err := openLedger(m, log)
	if err != nil {
		log.Error("no ledger: observing only", "err", err.Error())
		policy = func() rules.Policy {
			p := m.policy()
			p.Mode = rules.Observe
			return p
		}
	} else {
		defer led.Close()
		memory = led
	}
	l, err := control.Listen(control.Socket)
	if err != nil {
		return err
	}
	var server control.Server
	e := engine.New(engine.Options{
		Host: m.host, Sources: host.Sources(), HostName: m.stack.Self.Name, Probes: m.probes, Book: m.book,
		Remedy:  func(id string) remedies.Remedy { return byID[id] },
		Hands:   m.hands,
		Ledger:  memory,
		Journal: m.journal,
		Policy:  policy,
		Lock:    lock,
		Log:     log,
		Notify:  notify,

		Published: server.Publish,
	}, attempts)

	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, l) }()
	err = e.Run(ctx)
	stop()
	return errors.Join(err, <-served)
}

// openLedger opens the ledger and tells of what a crash had cut short.
func openLedger(m *machine, log *slog.Logger) (*ledger.Ledger, []rules.Attempt, error) {
	now := m.host.Now()
	led, aside, err := ledger.Open(ledger.Dir, now)
	if err != nil {
		return nil, nil, err
	}
	if aside != "" {
		log.Error("the ledger could not be read and was set aside", "file", aside)
	}
	attempts, cut, err := led.Recover(now)
	if err != nil {
		return nil, nil, errors.Join(err, led.Close())
	}
	for _, a := range cut {
		log.Warn("an attempt was cut short by the daemon's end", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "remedy", a.Remedy)
	}
	return led, attempts, nil
}

// remediesByID indexes all that may heal this host.
func (m *machine) remediesByID() (map[string]remedies.Remedy, error) {
	list, err := rules.Remedies(m.stack)
	if err != nil {
		return nil, err
	}
	out := map[string]remedies.Remedy{}
	for _, r := range append(list, rules.Rungs(m.stack)...) {
		out[r.Spec().ID] = r
	}
	return out, nil
}

// notify speaks to the service manager. An error means that there is none.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// dropTime leaves the time to the journal, which stamps every line itself.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
