// Package lab stands up real hosts on this one machine to rehearse a site on:
// Debian root file systems booted by systemd-nspawn with systemd as PID 1, in
// network namespaces that carry the guide's IPv6 addresses and no IPv4 beyond
// loopback, with an AAAA-only zone, an ACME server and the package registry
// reachable through a proxy.
//
//	l, err := lab.New(lab.Options{NoInstall: true, Log: os.Stderr})
//	...
//	err = l.Up(ctx)
//	code, err := l.Exec(ctx, "idp", []string{"systemctl", "is-system-running"}, nil, os.Stdout, os.Stderr)
//	err = l.Down(ctx, false)
//
// It stands beside the line from site file to proof: nothing in the program
// imports it but cmd, and it imports nothing of the program. The hosts are to be
// treated as a user's: what is put into them is what a user would have there.
//
// Three places hold everything. The cache (/var/cache/watchdog-lab) keeps what is
// slow to make, and the lock. The state directory (/var/lib/watchdog-lab/NAME, a
// tmpfs where memory allows) dies with the lab. Processes carry WATCHDOG_LAB=NAME
// in their environment or sit in the lab's namespaces and control groups, so that
// a lab killed at any point can be found and taken away without a pid file.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

const (
	// DefaultName is the name of a lab that was given none.
	DefaultName = "lab"
	// DefaultCache is where the slow parts are kept when neither Options nor the
	// environment (WATCHDOG_LAB_CACHE) says otherwise.
	DefaultCache = "/var/cache/watchdog-lab"

	cacheVariable = "WATCHDOG_LAB_CACHE"
	marker        = "WATCHDOG_LAB"
	stateBase     = "/var/lib/watchdog-lab"
	siteFile      = "/etc/watchdog/site.yaml"
)

// Options say which lab is meant and how it is to be stood up.
type Options struct {
	Name      string    // DefaultName when empty; lower-case letters and digits
	Cache     string    // directory that outlives the lab
	Binary    string    // the watchdog program put into the hosts; this one when empty
	Command   string    // what the user typed after watchdog, for the advice in errors
	Disk      bool      // keep the hosts on disk even where memory would do
	NoInstall bool      // stop before `watchdog install`
	Log       io.Writer // progress for people; nothing when nil
	Output    io.Writer // what `watchdog install` prints; Log when nil
}

// Lab is one lab on this machine, up or not.
type Lab struct {
	name, cache, binary string
	disk, noInstall     bool
	output              io.Writer
	say                 *progress
}

// Refusal is an error of use: nothing was touched, and the text says what to type.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

// ExitCode is the code a command ends with on a refusal.
func (r *Refusal) ExitCode() int { return 2 }

var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,19}$`)

// New checks that a lab can run here at all. It changes nothing.
func New(o Options) (*Lab, error) {
	l, err := describe(o)
	if err != nil {
		return nil, err
	}
	command := o.Command
	if command == "" {
		command = "lab up"
	}
	if os.Geteuid() != 0 {
		return nil, &Refusal{"run the lab as root, it boots hosts in namespaces of their own: sudo watchdog " + command}
	}
	if err := namespacesAllowed(); err != nil {
		return nil, &Refusal{fmt.Sprintf("make a network namespace: %v; this root may not, so type on the machine itself, outside any container: sudo watchdog %s", err, command)}
	}
	prepareProcess()
	return l, nil
}

// prepareProcess makes this process a fit parent: a root shell without sbin in
// its PATH finds the tools too, and descriptors that were handed down to it, a CI
// runner's pipe perhaps, are not kept open for as long as the lab lives.
func prepareProcess() {
	path := os.Getenv("PATH")
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if !slices.Contains(filepath.SplitList(path), dir) {
			path += ":" + dir
		}
	}
	_ = os.Setenv("PATH", path)
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // an older kernel: only less tidy
}

// describe is New without looking at the machine.
func describe(o Options) (*Lab, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if !validName.MatchString(o.Name) {
		return nil, &Refusal{fmt.Sprintf("use a lab name of lower-case letters and digits, at most 20, not %q", o.Name)}
	}
	if o.Cache == "" {
		o.Cache = os.Getenv(cacheVariable)
	}
	if o.Cache == "" {
		o.Cache = DefaultCache
	}
	cache, err := filepath.Abs(o.Cache)
	if err != nil {
		return nil, fmt.Errorf("find cache directory %s: %w", o.Cache, err)
	}
	if strings.ContainsAny(cache, ":,\\ \n") {
		return nil, &Refusal{fmt.Sprintf("use a cache directory without blanks, colons and commas (overlayfs separates by them), not %q", cache)}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Output == nil {
		o.Output = o.Log
	}
	return &Lab{name: o.Name, cache: cache, binary: o.Binary, disk: o.Disk, noInstall: o.NoInstall,
		output: o.Output, say: newProgress(o.Log)}, nil
}

// Name is the lab's name.
func (l *Lab) Name() string { return l.name }

// typed is a command for people to type, about this lab.
func (l *Lab) typed(verb string) string {
	if l.name != DefaultName {
		verb += " --name " + l.name
	}
	return "sudo watchdog " + verb
}

// Root is where the files of a running host are seen from the machine; /tmp and
// /run are the host's own and not visible there.
func (l *Lab) Root(host string) string { return l.host(host, "root") }

// Keeps is the path of a file that is kept for as long as the lab is.
func (l *Lab) Keeps(file string) string { return l.state(file) }

func (l *Lab) state(elem ...string) string {
	return filepath.Join(append([]string{stateBase, l.name}, elem...)...)
}

func (l *Lab) host(name string, elem ...string) string {
	return l.state(append([]string{"hosts", name}, elem...)...)
}

func (l *Lab) cached(elem ...string) string {
	return filepath.Join(append([]string{l.cache}, elem...)...)
}

// mayRun refuses where a real site is installed: the lab installs packages and
// claims addresses, which is no business of a machine that serves logins.
func mayRun(site string) error {
	_, err := os.Lstat(site)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a site file: %w", err)
	}
	return &Refusal{fmt.Sprintf("use another machine for the lab: %s says that this one serves a site (move the file away if it does not)", site)}
}

// lock keeps two commands from changing one lab at a time. The file is in the
// cache, because down leaves nothing elsewhere.
func (l *Lab) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(l.cache, 0o755); err != nil {
		return nil, fmt.Errorf("make cache directory: %w", err)
	}
	name := l.cached(l.name + ".lock")
	f := flock.New(name)
	// A command that is just ending deserves a moment; a running one is named.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ok, err := f.TryLockContext(ctx, 100*time.Millisecond)
	if !ok {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		return nil, &Refusal{fmt.Sprintf("wait for the other `watchdog lab` command on lab %s%s, or use --name for a second lab", l.name, holder(name))}
	}
	// Only for the message above; the lock itself is the kernel's.
	_ = os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())), 0o644)
	return func() { _ = f.Unlock() }, nil
}

func holder(lock string) string {
	data, err := os.ReadFile(lock)
	if err != nil || len(data) == 0 {
		return ""
	}
	return " (process " + strings.TrimSpace(string(data)) + ")"
}
