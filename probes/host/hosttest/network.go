package hosttest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"watchdog/probes/host"
)

// A server answers dials of one address: with an error, or by serving the
// other end of the connection.
type server struct {
	serve func(net.Conn)
	err   error
}

// Serve lets f answer every connection to address ("[::1]:8443", or a socket's
// path); f runs on a goroutine of its own and the connection is closed when it
// returns. Datagrams keep their bounds on "udp6" and "udp4". To tell networks
// apart, put the network's name and a blank before the address.
func Serve(address string, f func(net.Conn)) Option {
	return func(m *Machine) { m.servers[address] = server{serve: f} }
}

// Refuse makes dialling address end with err; nil means that nobody listens
// there any more.
func Refuse(address string, err error) Option {
	return func(m *Machine) {
		if err == nil {
			delete(m.servers, address)
			return
		}
		m.servers[address] = server{err: err}
	}
}

// Listeners says who listens, in place of what was said before.
func Listeners(l ...host.Listener) Option { return func(m *Machine) { m.listeners = l } }

// Addresses says which addresses the interfaces have, in place of what was
// said before.
func Addresses(a ...host.Address) Option { return func(m *Machine) { m.addresses = a } }

// network is the machine's [host.Net].
type network struct{ m *Machine }

// Dial is as strict as the real one, and refuses what nobody serves.
func (n network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := host.CheckDial(network, address); err != nil {
		return nil, err
	}
	n.m.mu.Lock()
	s, ok := n.m.servers[network+" "+address]
	if !ok {
		s, ok = n.m.servers[address]
	}
	blind := n.m.blind
	n.m.mu.Unlock()
	remote := endpoint{network, address}
	switch {
	case blind != nil:
		s.err = blind
	case !ok && network == "unix":
		s.err = os.NewSyscallError("connect", syscall.ENOENT)
	case !ok:
		s.err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	if s.err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: s.err}
	}
	return pair(remote, s.serve)
}

func (n network) Listeners(ctx context.Context) ([]host.Listener, error) {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	if n.m.blind != nil {
		return nil, n.m.blind
	}
	return slices.Clone(n.m.listeners), ctx.Err()
}

func (n network) Addresses(ctx context.Context) ([]host.Address, error) {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	if n.m.blind != nil {
		return nil, n.m.blind
	}
	return slices.Clone(n.m.addresses), ctx.Err()
}

// Holder lets another machine of the link answer for addr; with no hardware
// address nobody does any more.
func Holder(addr, mac string) Option {
	a, hw := netip.MustParseAddr(addr), net.HardwareAddr(nil)
	if mac != "" {
		var err error
		if hw, err = net.ParseMAC(mac); err != nil {
			panic(fmt.Sprintf("hosttest: %v", err))
		}
	}
	return func(m *Machine) { m.holders[a] = hw }
}

func (n network) Holder(ctx context.Context, _ string, addr netip.Addr) (net.HardwareAddr, error) {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	if n.m.blind != nil {
		return nil, n.m.blind
	}
	return n.m.holders[addr], ctx.Err()
}

// endpoint is the address of a made-up server.
type endpoint struct{ network, address string }

func (e endpoint) Network() string { return e.network }
func (e endpoint) String() string  { return e.address }

// A conn is a stream whose other end says it is the address that was dialled.
type conn struct {
	net.Conn
	remote net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.remote }

// pair makes a connection out of two sockets and serves one of them. They are
// buffered, as real ones are, which a pipe is not. Datagrams get sockets that
// keep the bounds and still tell when the other end is gone; their type is
// what DNS libraries know as a packet connection.
func pair(remote endpoint, serve func(net.Conn)) (net.Conn, error) {
	kind := syscall.SOCK_STREAM
	if remote.network == "udp6" || remote.network == "udp4" {
		kind = syscall.SOCK_SEQPACKET
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		ends[i], err = net.FileConn(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("make a pair of sockets: %w", err)
		}
	}
	go func() {
		defer ends[1].Close()
		serve(ends[1])
	}()
	if kind == syscall.SOCK_SEQPACKET {
		return ends[0], nil
	}
	return conn{ends[0], remote}, nil
}
