package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

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
	// complain, when not nil, hears each time of what the policy could not read.
	complain func(error)
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

// openAsRoot is open for verbs that would end half-way without root, which they
// need for what they do.
func (f *siteFlags) openAsRoot(c *cobra.Command, do string) (*machine, error) {
	if err := needRootTo(c, do); err != nil {
		return nil, err
	}
	return f.open(c.Context())
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
	h.Vitals = askDaemon
	ps := rules.Probes(stack)
	return &machine{
		host:   h,
		stack:  stack,
		probes: ps,
		book:   rules.NewBook(rules.Table(), ps, nil),
		hands: hands.New(h, hands.Options{
			KeycloakHome: stack.Keycloak.Home, KeycloakConf: stack.Keycloak.Conf(), KeycloakUser: stack.Keycloak.User,
			Lock: locked.Load,
		}),
		journal: ledger.NewJournal(ledger.Dir),
	}, nil
}

// changesHost is what most verbs need root for.
const changesHost = "changes this host"

// needRoot refuses early what would end half-way.
func needRoot(c *cobra.Command) error { return needRootTo(c, changesHost) }

// needRootTo is needRoot for verbs that need it for something else.
func needRootTo(c *cobra.Command, do string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s %s and needs root: %s", c.CommandPath(), do, asRoot())}
}

// asRoot is this command line as root.
func asRoot() string { return "sudo " + strings.Join(os.Args, " ") }

// lockPath serialises those who change the machine: install, heal, the daemon.
const lockPath = "/run/watchdog/lock"

var errLocked = errors.New("another watchdog, or what one had started, is changing this host")

// locked is the lock's open file while this process holds it. The lock is the
// file's, not the process's: a program that it was handed down to keeps it.
var locked atomic.Pointer[os.File]

// lock takes the machine's lock, or says at once that somebody has it.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(lockPath), 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(lockPath, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errLocked
		} else {
			err = fmt.Errorf("lock %s: %w", lockPath, err)
		}
		return nil, errors.Join(err, f.Close())
	}
	locked.Store(f)
	return func() {
		locked.Store(nil)
		_ = f.Close() // which gives the lock back, unless it was handed down
	}, nil
}
