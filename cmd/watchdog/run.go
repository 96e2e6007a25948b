package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
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
			m, err := site.openAsRoot(c, changesHost)
			if err != nil {
				return err
			}
			return m.run(c.Context(), c.ErrOrStderr())
		},
	}
	site.add(c)
	return c
}

// run wires the engine to the ledger and the control socket, and runs until ctx
// ends.
func (m *machine) run(ctx context.Context, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))
	all, err := m.remedies()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r remedies.Remedy) bool { return r.Spec().ID == installsOnly })
	byID := index(all)
	drift, err := rules.DriftOf(m.stack)
	if err != nil {
		return usageError{err}
	}
	ps := append(slices.Clone(m.probes), drift)
	m.complain = once(func(err error) { log.Error("no plan is approved", "err", err.Error()) })
	memory := ledger.Keep(ledger.Dir, m.host.Now)
	defer memory.Close()
	past := recall(memory, log)
	server := control.Server{History: memory.History, Recording: memory.ReadRecording}
	e := engine.New(engine.Options{
		Host: m.host, Sources: host.Sources(), HostName: m.stack.Self.Name, Probes: ps, Book: rules.NewBook(rules.Table(), ps, all),
		Remedy:  func(id string) remedies.Remedy { return byID[id] },
		Hands:   m.hands,
		Ledger:  memory,
		Journal: m.journal,
		Policy:  func() rules.Policy { return m.running(memory) },
		Lock:    lock,
		Log:     log,
		Notify:  notify,

		Published: server.Publish,
		AtWork:    host.PersonAtWork,
		Reached:   reached,
		Booted:    host.Booted(),
		Open:      past.Open,
	}, past.Attempts)
	vitals := m.host.Vitals // the engine's own
	m.host.Vitals = func() host.Vitals {
		v := vitals()
		v.Ledger = memory.Trouble()
		return v
	}
	server.Vitals = func() any { return m.host.Vitals() }
	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan struct{})
	go func() { defer close(served); serve(serveCtx, &server, log) }()
	err = e.Run(ctx)
	stop()
	<-served
	return err
}

// once keeps a complaint from being made again and again.
func once(complain func(error)) func(error) {
	var said sync.Map
	return func(err error) {
		if _, again := said.LoadOrStore(err.Error(), true); !again {
			complain(err)
		}
	}
}

// installsOnly is the remedy that restarts the daemon: in its own hands it would
// never come to an end.
const installsOnly = "self"

// running is what is allowed while the daemon runs. As long as it does not know
// what it has tried, it changes nothing.
func (m *machine) running(memory *ledger.Keeper) rules.Policy {
	p := m.policy()
	if memory.Unread() {
		p.Mode = rules.Observe
	}
	return p
}

// recall reads what earlier runs left behind, and tells of what a crash had cut
// short.
func recall(memory *ledger.Keeper, log *slog.Logger) ledger.Past {
	past, err := memory.Past()
	if err != nil {
		log.Error("what was tried before cannot be read: observing only", "err", err.Error())
	}
	if aside := memory.Aside(); aside != "" {
		log.Error("the ledger could not be read and was set aside", "file", aside)
	}
	for _, a := range past.Cut {
		log.Warn("an attempt was cut short by the daemon's end", "code", string(a.Fault.Code), "subject", a.Fault.Subject, "remedy", a.Remedy)
	}
	return past
}

// A control socket that is lost is made again after serveAgain, and twice as late
// each time up to serveMost, if it did not last that long.
const (
	serveAgain = time.Second
	serveMost  = 30 * time.Second
)

// serve keeps the control socket up until ctx ends: the engine goes on without it.
func serve(ctx context.Context, s *control.Server, log *slog.Logger) {
	wait := serveAgain
	for {
		began := time.Now()
		err := s.Run(ctx, control.Socket)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > serveMost {
			wait = serveAgain
		}
		log.Error("the control socket is lost, and is made again", "err", fmt.Sprint(err), "in", wait.String())
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, serveMost)
	}
}

// remedies are all that may heal this host. That they can't be told is the site
// file's fault.
func (m *machine) remedies() ([]remedies.Remedy, error) {
	list, err := rules.Remedies(m.stack)
	if err != nil {
		return nil, usageError{err}
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
