package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/remedies/hands"
	"watchdog/rules"
	"watchdog/rules/ledger"
)

// sitePath is where every host has its site file.
const sitePath = "/etc/watchdog/site.yaml"

// A machine is this host with everything the verbs need of it: the one place
// where concrete things meet.
type machine struct {
	host    *host.Host
	stack   rules.Stack
	probes  []probes.Probe
	book    rules.Book
	hands   remedies.Hands
	journal ledger.Journal
}

// siteFlags are the flags of every verb that works on a host of a site.
type siteFlags struct{ path, self string }

func (f *siteFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.path, "site", sitePath, "the site `file`")
	c.Flags().StringVar(&f.self, "host", "", "this host's `key` in the site file (default: found by its addresses)")
}

// open reads the site file, which has to be root's alone, and this machine: for
// verbs that change it.
func (f *siteFlags) open(ctx context.Context) (*machine, error) {
	stack, err := loadSite(f.path, f.self)
	if err != nil {
		return nil, err
	}
	return openMachine(ctx, stack)
}

// look is open for verbs that only look: another file than the default may be
// anybody's.
func (f *siteFlags) look(ctx context.Context) (*machine, error) {
	stack, err := loadAnySite(f.path, f.self)
	if err != nil {
		return nil, err
	}
	return openMachine(ctx, stack)
}

func openMachine(ctx context.Context, stack rules.Stack) (*machine, error) {
	h, err := host.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	ps := rules.Probes(stack)
	return &machine{
		host:   h,
		stack:  stack,
		probes: ps,
		book:   rules.NewBook(rules.Table(), ps),
		hands: hands.New(h, hands.Options{
			KeycloakHome: stack.Keycloak.Home, KeycloakConf: stack.Keycloak.Conf(), KeycloakUser: stack.Keycloak.User,
		}),
		journal: ledger.NewJournal(ledger.Dir),
	}, nil
}

// needRoot refuses early what would end half-way.
func needRoot(c *cobra.Command) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s changes this host and needs root: sudo %s", c.CommandPath(), strings.Join(os.Args, " "))}
}

// lockPath serialises those who change the machine: install, heal, the daemon.
const lockPath = "/run/watchdog/lock"

var errLocked = errors.New("another watchdog is changing this host")

// lock takes the machine's lock, or says at once that somebody has it.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(lockPath), 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	l := flock.New(lockPath)
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lockPath, err)
	}
	if !ok {
		return nil, errLocked
	}
	return func() { _ = l.Unlock() }, nil // closing the descriptor unlocks in any case
}
