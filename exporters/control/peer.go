package control

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// A peer is who calls, as the kernel says it, at the time of connecting. It
// stands for the caller's address, which a unix socket has none of: so it passes
// through whatever wraps a connection.
type peer unix.Ucred

// Network implements [net.Addr].
func (peer) Network() string { return "unix" }

func (p peer) String() string { return fmt.Sprintf("process %d of user %d", p.Pid, p.Uid) }

// peers is a listener that asks the kernel who calls.
type peers struct{ net.Listener }

// Accept implements [net.Listener]. Of whom the kernel does not tell nothing is
// known.
func (l peers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	u, ok := c.(*net.UnixConn)
	if err != nil || !ok {
		return c, err
	}
	if p, err := peerOf(u); err == nil {
		return known{c, p}, nil
	}
	return c, nil
}

func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var cred *unix.Ucred
	if err2 := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err2 != nil {
		return peer{}, err2
	}
	if err != nil {
		return peer{}, err
	}
	return peer(*cred), nil
}

// known is a connection of a known peer.
type known struct {
	net.Conn
	peer peer
}

// RemoteAddr implements [net.Conn].
func (c known) RemoteAddr() net.Addr { return c.peer }

// peerKey is the key of a connection's peer in its requests' contexts.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.RemoteAddr().(peer); ok {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// isRoot reports whether the kernel says that root asks.
func isRoot(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(peer)
	return ok && p.Uid == 0
}
