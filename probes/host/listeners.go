package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Listeners implements [Net]. PIDs and programs need root for other users'
// processes.
func (n *network) Listeners(ctx context.Context) ([]Listener, error) {
	var sockets []socket
	for _, family := range []uint8{unix.AF_INET6, unix.AF_INET} {
		s, err := dump(ctx, func() ([]socket, error) { return listening(family) })
		if err != nil {
			return nil, fmt.Errorf("list listening sockets: %w", err)
		}
		sockets = append(sockets, s...)
	}
	holders, err := n.owners.of(ctx, sockets)
	if err != nil {
		return nil, fmt.Errorf("find who listens: %w", err)
	}
	out := make([]Listener, len(sockets))
	for i, s := range sockets {
		h := holders[s.inode]
		out[i] = Listener{Addr: s.addr, V6Only: s.v6only, PID: h.pid, Program: h.program}
	}
	return out, nil
}

// A socket is one listening socket as the kernel lists it.
type socket struct {
	addr   netip.AddrPort
	v6only bool
	inode  uint32
}

// Of linux/inet_diag.h: the number of the listening state, the attribute that
// tells an IPv6 wildcard from one that takes IPv4 too, and sizes in bytes.
const (
	tcpListen    = 10
	diagV6Only   = 11
	diagReqSize  = 56
	diagMsgSize  = 72
	diagMsgInode = 68
)

// diagRequest is struct inet_diag_req_v2 without a socket: all of a family in
// the listening state. netlink's own request wants those of every state.
type diagRequest struct{ family uint8 }

func (diagRequest) Len() int { return diagReqSize }

func (r diagRequest) Serialize() []byte {
	b := make([]byte, diagReqSize)
	b[0], b[1] = r.family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], 1<<tcpListen)
	return b
}

func listening(family uint8) ([]socket, error) {
	req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	req.AddData(diagRequest{family})
	messages, err := req.Execute(unix.NETLINK_INET_DIAG, 0)
	if err != nil {
		return nil, err
	}
	var out []socket
	for _, m := range messages {
		s, err := parseDiag(m)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// parseDiag reads one struct inet_diag_msg and its attributes: family and
// state, 2 bytes of timers, the ports, 16 bytes each of addresses, the
// interface, …, the inode.
func parseDiag(m []byte) (socket, error) {
	if len(m) < diagMsgSize {
		return socket{}, fmt.Errorf("kernel's answer has %d bytes, not %d", len(m), diagMsgSize)
	}
	port := binary.BigEndian.Uint16(m[4:])
	inode := binary.NativeEndian.Uint32(m[diagMsgInode:])
	if m[0] == unix.AF_INET {
		return socket{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte(m[8:12])), port), inode: inode}, nil
	}
	addr := netip.AddrFrom16([16]byte(m[8:24]))
	s := socket{addr: netip.AddrPortFrom(addr, port), inode: inode}
	attrs, err := nl.ParseRouteAttr(m[diagMsgSize:])
	if err != nil {
		return socket{}, fmt.Errorf("read the attributes of socket %s: %w", s.addr, err)
	}
	for _, a := range attrs {
		if a.Attr.Type == diagV6Only && len(a.Value) == 1 {
			s.v6only = a.Value[0] != 0
		}
	}
	return s, nil
}
