// Package hosttest makes up machines for the tests of probes and remedies.
//
//	h := hosttest.New(
//		hosttest.File("/etc/hosts", "::1 localhost\n"),
//		hosttest.Unit("keycloak.service", host.Running),
//		hosttest.Serve("[::1]:9000", hosttest.HTTP(handler)),
//		hosttest.Rows("from pg_database", []string{"keycloak"}),
//		hosttest.Output("getent ahosts idp.example.org", "2001:db8::1 STREAM\n"),
//	)
//
// A host made with no option is a bare Debian 12 with systemd: no service, no
// listener, every dial refused, every query and command an error. A [Machine]
// is the same with the means to change it while it is looked at.
package hosttest

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"watchdog/probes/host"
)

// Noon is the time at a made-up host unless [Clock] sets another.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// An Option makes one thing up.
type Option func(*Machine)

// New returns a made-up host.
func New(opts ...Option) *host.Host { return NewMachine(opts...).Host() }

// Host returns the read-only view of m; always the same one. It panics when
// m's files are not those of a supported distribution.
func (m *Machine) Host() *host.Host {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.host != nil {
		return m.host
	}
	facts, err := host.ReadFacts(files{m.bare()})
	if err != nil {
		panic(fmt.Sprintf("hosttest: %v", err))
	}
	for _, f := range m.facts {
		f(&facts)
	}
	m.host = &host.Host{FS: files{m}, Init: units{m}, Net: network{m}, Link: network{m}, DB: database{m}, Exec: commands{m}, Now: m.Now, Facts: facts}
	if m.vitals != nil {
		v := *m.vitals
		m.host.Vitals = func() host.Vitals { return v }
	}
	return m.host
}

// bare is m's files for reading facts: without its lock, which Host holds, and
// without the errors made up for probes.
func (m *Machine) bare() *Machine { return &Machine{nodes: m.nodes} }

// Facts changes what the host is said to be: a second way to a layout that its
// files do not show.
func Facts(f func(*host.Facts)) Option {
	return func(m *Machine) { m.facts = append(m.facts, f) }
}

// Clock sets the time.
func Clock(now time.Time) Option { return func(m *Machine) { m.now = now } }

// Vitals lets a daemon run on the host that says this of itself.
func Vitals(v host.Vitals) Option { return func(m *Machine) { m.vitals = &v } }

// Node makes up anything in the file system. What its path lacks is made, owned
// by root, 0755.
func Node(name string, n *host.Node) Option {
	return func(m *Machine) { m.plant(name, n) }
}

// File makes up a file of root's, 0644.
func File(name, data string) Option {
	return Node(name, &host.Node{Mode: 0o644, Owner: "root", Group: "root", Data: []byte(data), ModTime: Noon})
}

// Dir makes up an empty directory of root's, 0755.
func Dir(name string) Option {
	return Node(name, directory())
}

// Link makes up a symbolic link.
func Link(name, target string) Option {
	return Node(name, &host.Node{Mode: fs.ModeSymlink | 0o777, Owner: "root", Group: "root", Data: []byte(target), ModTime: Noon})
}

// Unreadable makes every look at name, and at what is below it, end with err.
func Unreadable(name string, err error) Option {
	return func(m *Machine) { m.unreadable[name] = err }
}

// Usage says how full the file system below path is; the longest path that
// fits counts. Without any it is half full.
func Usage(path string, u host.Usage) Option {
	return func(m *Machine) { m.usage[path] = u }
}

// Unit makes up a service that starts at boot and is in the given state; a
// running one has a process.
func Unit(name string, s host.UnitState) Option {
	u := host.Unit{Name: name, State: s, Enabled: true, Since: Noon.Add(-time.Hour), Starts: 1}
	if s == host.Running {
		u.PID = 100
	}
	return Service(u)
}

// Service makes up a service in all details.
func Service(u host.Unit) Option {
	return func(m *Machine) { m.units[u.Name] = u }
}

// Blind makes every look at the host, files too, end with an error: no probe
// may say "well" on it.
func Blind() Option {
	return func(m *Machine) { m.blind = ErrBlind }
}

// ErrBlind is what a [Blind] host answers.
var ErrBlind = errors.New("made-up host is blind")

// NoInit makes the service manager answer with err.
func NoInit(err error) Option { return func(m *Machine) { m.noInit = err } }

// NoDB makes every query end with err.
func NoDB(err error) Option { return func(m *Machine) { m.noDB = err } }
