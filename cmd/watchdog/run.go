package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

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
	all, err := m.remedies()
	if err != nil {
		return usageError{err}
	}
	byID := index(all)
	drift, err := rules.DriftOf(m.stack)
	if err != nil {
		return usageError{err}
	}
	ps := append(slices.Clone(m.probes), drift)
	// Without its ledger the engine goes on looking, and changes nothing: it
	// would not know what it has tried.
	policy := m.policy
	var memory engine.Ledger
	led, left, err := openLedger(m, log)
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
		Host: m.host, Sources: host.Sources(), HostName: m.stack.Self.Name, Probes: ps, Book: rules.NewBook(rules.Table(), ps, all),
		Remedy:  func(id string) remedies.Remedy { return byID[id] },
		Hands:   m.hands,
		Ledger:  memory,
		Journal: m.journal,
		Policy:  policy,
		Lock:    lock,
		Log:     log,
		Notify:  notify,

		Published: server.Publish,
		AtWork:    host.PersonAtWork,
		Reached:   reached,
		Booted:    host.Booted(),
		Open:      left.open,
	}, left.attempts)

	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, l) }()
	err = e.Run(ctx)
	stop()
	return errors.Join(err, <-served)
}

// past is what earlier runs left behind.
type past struct {
	attempts []rules.Attempt
	open     []rules.Incident
}

// openLedger opens the ledger and tells of what a crash had cut short.
func openLedger(m *machine, log *slog.Logger) (*ledger.Ledger, past, error) {
	now := m.host.Now()
	led, aside, err := ledger.Open(ledger.Dir, now)
	if err != nil {
		return nil, past{}, err
	}
	if aside != "" {
		log.Error("the ledger could not be read and was set aside", "file", aside)
	}
	attempts, cut, err := led.Recover(now)
	if err != nil {
		return nil, past{}, errors.Join(err, led.Close())
	}
	for _, a := range cut {
		log.Warn("an attempt was cut short by the daemon's end", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "remedy", a.Remedy)
	}
	all, err := led.Incidents(now.Add(-stillOpen))
	if err != nil {
		return nil, past{}, errors.Join(err, led.Close())
	}
	all = slices.DeleteFunc(all, func(in rules.Incident) bool { return in.State != rules.IncidentOpen })
	return led, past{attempts, all}, nil
}

// stillOpen is how far back an incident that was never ended is looked for.
const stillOpen = 30 * 24 * time.Hour

// remedies are all that may heal this host.
func (m *machine) remedies() ([]remedies.Remedy, error) {
	list, err := rules.Remedies(m.stack)
	if err != nil {
		return nil, err
	}
	return append(list, rules.Rungs(m.stack)...), nil
}

func index(list []remedies.Remedy) map[string]remedies.Remedy {
	out := make(map[string]remedies.Remedy, len(list))
	for _, r := range list {
		out[r.Spec().ID] = r
	}
	return out
}

// remediesByID indexes all that may heal this host.
func (m *machine) remediesByID() (map[string]remedies.Remedy, error) {
	list, err := m.remedies()
	return index(list), err
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
