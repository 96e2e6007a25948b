// Package remedytest has a made-up machine that remedies can change, and the
// conformance suite that every remedy passes.
//
//	m := remedytest.New(
//		hosttest.File("/etc/gai.conf", "precedence ::ffff:0:0/96 100\n"),
//		hosttest.Unit("nginx.service", host.Running),
//	)
//	remedytest.Suite(t, remedies.GAI{}, m)
//
// The machine remembers with which files each service was started or last
// reloaded, so that a test sees a service that runs on with a configuration
// that was put back. What is neither a file nor a service (rules in the kernel,
// roles in a database) is a value, kept by the handlers that a test gives for
// the commands that change it:
//
//	m.Handle("nft-load", func(c remedies.Command) ([]byte, error) {
//		m.SetValue("nft", string(m.Get(c.Args[0]).Data))
//		return nil, nil
//	})
package remedytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// A Machine is a made-up machine with hands: it implements [remedies.Hands],
// and its Host sees what they did.
type Machine struct {
	*hosttest.Machine

	mu       sync.Mutex
	handlers map[string]Handler
	sql      func(database, statement string, args ...any) error
	admin    func(method, path string, body, reply any) (string, error)
	archives map[string][]hosttest.Option
	start    func(unit string) error
	loaded   map[string]map[string]*host.Node // files by unit, as it was started with
	values   map[string]string
	calls    []Call
	fault    Fault
	cancel   context.CancelFunc
}

var _ remedies.Hands = (*Machine)(nil)

// A Handler does what a command does to the machine.
type Handler func(c remedies.Command) ([]byte, error)

// A Call is one thing that the hands were told to do.
type Call struct {
	What string // in words: "write /etc/hosts", "restart nginx.service"
	// File is the name that was written, if one was.
	File string
	// Said is all that others could read of it: arguments of a command, a
	// statement.
	Said string
}

// New returns a machine made of opts, with handlers for the commands that
// install packages, create users and groups, and set the host name.
func New(opts ...hosttest.Option) *Machine {
	bare := []hosttest.Option{
		hosttest.File("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
		hosttest.File("/etc/group", "root:x:0:\n"),
		hosttest.File("/var/lib/dpkg/status", ""),
		hosttest.Dir("/etc/systemd/system"),
	}
	m := &Machine{
		Machine:  hosttest.NewMachine(append(bare, opts...)...),
		handlers: map[string]Handler{},
		archives: map[string][]hosttest.Option{},
		loaded:   map[string]map[string]*host.Node{},
		values:   map[string]string{},
	}
	for name, u := range m.Units() {
		if u.State == host.Running {
			m.loaded[name] = m.Nodes()
		}
	}
	m.handleUsual()
	return m
}

// Handle makes f do what the command of that name does. A command without a
// handler does nothing and says nothing.
func (m *Machine) Handle(name string, f Handler) { m.handlers[name] = f }

// HandleSQL makes f do what statements do.
func (m *Machine) HandleSQL(f func(database, statement string, args ...any) error) { m.sql = f }

// HandleAdmin makes f answer the admin interface.
func (m *Machine) HandleAdmin(f func(method, path string, body, reply any) (string, error)) {
	m.admin = f
}

// HandleStart makes f decide whether a service starts, restarts or reloads; on
// an error it does not, and one that was to start anew has failed.
func (m *Machine) HandleStart(f func(unit string) error) { m.start = f }

// Archive says what is in the archive of that name, as files below the
// directory it is unpacked to: hosttest.File("bin/kc.sh", "…").
func (m *Machine) Archive(name string, files ...hosttest.Option) { m.archives[name] = files }

// Value returns what SetValue set, and "" before.
func (m *Machine) Value(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key]
}

// SetValue keeps something that is neither a file nor a service.
func (m *Machine) SetValue(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
}

// Loaded returns the file of that name as the unit was last started or reloaded
// with it, nil when there was none.
func (m *Machine) Loaded(unit, name string) *host.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loaded[unit][name]
}

// Calls returns what the hands were told to do since the machine was made or
// [Machine.Restore]d.
func (m *Machine) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Called returns the words of [Machine.Calls], one a line.
func (m *Machine) Called() string {
	var b strings.Builder
	for _, c := range m.Calls() {
		fmt.Fprintln(&b, c.What)
	}
	return b.String()
}

// A State is all of a machine that remedies change.
type State struct {
	Nodes  map[string]*host.Node
	Units  map[string]host.Unit
	Loaded map[string]map[string]*host.Node
	Values map[string]string
}

// State returns a copy of the machine's state.
func (m *Machine) State() State {
	s := State{Nodes: m.Nodes(), Units: m.Units()}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Loaded, s.Values = maps.Clone(m.loaded), maps.Clone(m.values)
	return s
}

// Restore makes the machine what it was, forgets its calls, and lets no fault
// befall it any more.
func (m *Machine) Restore(s State) {
	for name := range m.Nodes() {
		if s.Nodes[name] == nil {
			m.Set(name, nil)
		}
	}
	for name, n := range s.Nodes {
		m.Set(name, n)
	}
	for name := range m.Units() {
		u, ok := s.Units[name]
		if !ok {
			u = host.Unit{Name: name, State: host.Absent}
		}
		m.Change(hosttest.Service(u))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded, m.values = maps.Clone(s.Loaded), maps.Clone(s.Values)
	m.calls, m.fault, m.cancel = nil, Fault{}, nil
}
