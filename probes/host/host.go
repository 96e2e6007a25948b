// Package host is a read-only view of one machine: files, services, network,
// the database's catalogue, and a closed list of commands that change nothing.
// Probes look through it and remedies plan by it; neither can write by it.
//
// [Open] gives the real machine; package hosttest gives made-up ones. What
// differs between distributions is decided in facts.go and a file for each
// (debian.go), what differs between service managers in one file for each
// (systemd.go), and shows up here as plain values ([Facts], [Unit]).
package host

import (
	"bytes"
	"context"
	"crypto/x509"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A Host is one machine as the program sees it.
type Host struct {
	FS    FS
	Init  Init
	Net   Net
	Link  Link
	DB    DB
	Exec  Exec
	Now   func() time.Time
	Facts Facts
	// Roots are the authorities that [Host.HTTPClient] trusts; nil means the
	// system's.
	Roots *x509.CertPool
	// Vitals tells how the daemon is; nil where none is known to run. Probes
	// call it from several goroutines, and change nothing of what it returns.
	Vitals func() Vitals

	web     sync.Mutex // guards what follows
	clients map[webKey]*http.Client
	tokens  map[Admin]adminToken
	closers []func()

	reading sync.Mutex
	whole   map[string]time.Time // backups that were read and found whole, and when
}

// FS reads files. Names are absolute.
type FS interface {
	// Node returns the thing of that name itself: a link is not followed.
	// It is nil, without error, when there is nothing of that name.
	Node(name string) (*Node, error)
	// ReadFile follows links. What is larger than 8 MiB is an error.
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]string, error)
	// Size is how large a regular file is, in bytes; links are followed.
	Size(name string) (int64, error)
	// SHA256 reads a file to its end, however large it is, and returns its
	// hash in hex.
	SHA256(ctx context.Context, name string) (string, error)
	// Usage tells how full the file system below name is.
	Usage(name string) (Usage, error)
}

// A Node is a regular file, a directory or a symbolic link, whole: what a
// remedy compares, writes and puts back.
type Node struct {
	Mode         fs.FileMode // type and permission bits, with setuid, setgid and sticky
	Owner, Group string      // names, or numbers where there is no name
	Data         []byte      // a file's bytes, a link's target, nil for a directory
	ModTime      time.Time   // seen, never compared
}

// Equal reports whether two nodes are the same in all that a remedy may
// change. Modes of links are not compared: the kernel fixes them.
func (n *Node) Equal(m *Node) bool {
	if n == nil || m == nil {
		return n == m
	}
	if n.Mode.Type() != m.Mode.Type() || n.Owner != m.Owner || n.Group != m.Group || !bytes.Equal(n.Data, m.Data) {
		return false
	}
	return n.Mode.Type() == fs.ModeSymlink || n.Mode == m.Mode
}

// Init asks the service manager. It never changes a service.
type Init interface {
	// Unit describes a service. One that does not exist has State Absent and
	// is no error.
	Unit(ctx context.Context, name string) (Unit, error)
}

// A Unit is a service as its manager sees it.
type Unit struct {
	Name    string
	State   UnitState
	Enabled bool // starts at boot
	PID     int  // main process, 0 when there is none
	// Result says how it ended, in the manager's word ("signal",
	// "exit-code", "start-limit-hit", "oom-kill"); empty when it runs.
	Result string
	Since  time.Time // of the present state
	Starts uint64    // changes when the service is started anew: systemd's invocation
	// Detail is the manager's own line, for evidence.
	Detail string
}

// UnitState is what a service is doing.
type UnitState string

// States of a service.
const (
	Running  UnitState = "running" // also: a one-shot that did its work, a timer that waits
	Starting UnitState = "starting"
	Stopping UnitState = "stopping"
	Stopped  UnitState = "stopped"
	Failed   UnitState = "failed"
	Masked   UnitState = "masked"
	Absent   UnitState = "absent"
)

// Net looks at the network and dials it.
type Net interface {
	// Dial connects. Network is "tcp6", "tcp4", "udp6", "udp4" or "unix":
	// the family is the caller's choice, never a fallback.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// Listeners lists the listening TCP sockets with their owners.
	Listeners(ctx context.Context) ([]Listener, error)
	// Addresses lists the addresses of all interfaces.
	Addresses(ctx context.Context) ([]Address, error)
}

// A Listener is one listening TCP socket.
type Listener struct {
	Addr netip.AddrPort
	// V6Only is false for a wildcard IPv6 socket that takes IPv4 too.
	V6Only  bool
	PID     int    // 0 when its process could not be seen
	Program string // the process's name ("java")
}

// An Address is one address of one interface.
type Address struct {
	Interface  string
	Prefix     netip.Prefix
	Tentative  bool // duplicate address detection is under way
	DADFailed  bool // somebody else has it
	Deprecated bool
	Temporary  bool // a privacy address
}

// DB reads PostgreSQL as its superuser over the local socket.
type DB interface {
	// Query runs one statement in a read-only transaction and returns the rows
	// as text, NULL as the empty string. Args are strings, numbers, booleans or
	// nil. What the server refuses is a [*pgconn.PgError] in the error's chain,
	// a server that is not there one of the system's errors.
	// Queries within five seconds may share a login.
	Query(ctx context.Context, database, statement string, args ...any) ([][]string, error)
}

// Exec runs commands that only look. Anything not on its closed list
// ([CheckCommand]) is refused without being run. What goes wrong with a command
// that is run is a [*CommandError].
type Exec interface {
	Run(ctx context.Context, argv ...string) ([]byte, error)
}
