package hosttest

import (
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"path"
	"sync"
	"time"

	"watchdog/probes/host"
)

// A Machine is a made-up machine that can be changed while probes look at it.
// Its methods may be called from several goroutines.
type Machine struct {
	mu         sync.Mutex
	host       *host.Host
	facts      []func(*host.Facts)
	vitals     *host.Vitals
	now        time.Time
	nodes      map[string]*host.Node
	unreadable map[string]error
	usage      map[string]host.Usage
	units      map[string]host.Unit
	servers    map[string]server
	listeners  []host.Listener
	addresses  []host.Address
	holders    map[netip.Addr]net.HardwareAddr
	queries    map[string]Query
	commands   map[string]Command
	blind      error
	noInit     error
	noDB       error
}

// NewMachine returns a machine made of opts, on top of a bare Debian 12.
func NewMachine(opts ...Option) *Machine {
	m := &Machine{
		now:        Noon,
		nodes:      map[string]*host.Node{"/": directory()},
		unreadable: map[string]error{},
		usage:      map[string]host.Usage{},
		units:      map[string]host.Unit{},
		servers:    map[string]server{},
		holders:    map[netip.Addr]net.HardwareAddr{},
		queries:    map[string]Query{},
		commands:   map[string]Command{},
	}
	bare := []Option{
		File("/usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
		Link("/etc/os-release", "../usr/lib/os-release"),
		File(host.HostnameFile, "idp\n"),
		Dir("/run/systemd/system"),
	}
	for _, o := range append(bare, opts...) {
		o(m)
	}
	return m
}

func directory() *host.Node {
	return &host.Node{Mode: fs.ModeDir | 0o755, Owner: "root", Group: "root", ModTime: Noon}
}

// plant sets a node and the directories above it that are missing.
func (m *Machine) plant(name string, n *host.Node) {
	for dir := path.Dir(name); m.nodes[dir] == nil; dir = path.Dir(dir) {
		m.nodes[dir] = directory()
	}
	m.nodes[name] = n
}

// Get returns the node of that name itself, nil when there is none. Links on
// the way to it are not followed.
func (m *Machine) Get(name string) *host.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.nodes[name])
}

// Set puts n in the place of what is called name, or removes that when n is
// nil. Directories above it are neither made nor wanted.
func (m *Machine) Set(name string, n *host.Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n == nil {
		delete(m.nodes, name)
		return
	}
	m.nodes[name] = clone(n)
}

// Nodes returns a copy of everything in the file system.
func (m *Machine) Nodes() map[string]*host.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := maps.Clone(m.nodes)
	for name, n := range all {
		all[name] = clone(n)
	}
	return all
}

// Units returns a copy of all services, by name.
func (m *Machine) Units() map[string]host.Unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.units)
}

// Change does what opts say to a machine in use.
func (m *Machine) Change(opts ...Option) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range opts {
		o(m)
	}
}

// Now is the machine's time.
func (m *Machine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Pass moves the clock.
func (m *Machine) Pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

func clone(n *host.Node) *host.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Data = append([]byte(nil), n.Data...)
	return &c
}

// FS is m's file system by itself.
func (m *Machine) FS() host.FS { return files{m} }
