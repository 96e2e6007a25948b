package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Link asks the other machines of a link.
type Link interface {
	// Holder returns the hardware address of the machine that answers for addr on
	// the link of that interface; nil when none does within a second. What is
	// asked changes nothing at those that hear it but what they know of this
	// machine.
	Holder(ctx context.Context, iface string, addr netip.Addr) (net.HardwareAddr, error)
}

// A question is sent every solicitAgain until solicitFor is over.
const (
	solicitFor   = time.Second
	solicitAgain = 300 * time.Millisecond
)

// Types of neighbour discovery (RFC 4861, 4.3, 4.4 and 4.6.1).
const (
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136

	optionSource = 1
	optionTarget = 2

	// ndpHops is the hop limit of all of them: what has another comes from
	// beyond the link.
	ndpHops = 255
)

// Holder implements [Link]. It asks by itself: the kernel does not, for an address
// that it has been refused, and keeps the answer to its own question only in its
// log.
func (*network) Holder(ctx context.Context, iface string, addr netip.Addr) (net.HardwareAddr, error) {
	holder, err := askHolder(ctx, iface, addr)
	if err != nil {
		return nil, fmt.Errorf("ask on %s who has %s: %w", iface, addr, err)
	}
	return holder, ctx.Err()
}

func askHolder(ctx context.Context, iface string, addr netip.Addr) (net.HardwareAddr, error) {
	link, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, err
	}
	conn, err := listenNDP(ctx, link)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, solicitFor)
	defer cancel()
	// Closing is what ends a read that nobody answers.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	question, to := solicitation(link.HardwareAddr, addr), &net.IPAddr{IP: solicitedNode(addr), Zone: iface}
	if _, err := conn.WriteTo(question, to); err != nil {
		return nil, err
	}
	go func() {
		for tick := time.NewTicker(solicitAgain); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				_, _ = conn.WriteTo(question, to)
			}
		}
	}()
	data, control := make([]byte, 1500), make([]byte, 64)
	for {
		n, c, _, _, err := conn.ReadMsgIP(data, control)
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case err != nil:
			return nil, err
		}
		if hops(control[:c]) != ndpHops {
			continue
		}
		if mac := advertised(data[:n], addr); mac != nil {
			return mac, nil
		}
	}
}

// listenNDP opens a socket that hears the advertisements on one link.
func listenNDP(ctx context.Context, link *net.Interface) (*net.IPConn, error) {
	filter := unix.ICMPv6Filter{} // a bit that is set keeps its type out
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	filter.Data[neighbourAdvertisement/32] &^= 1 << (neighbourAdvertisement % 32)
	var failed error
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		err := raw.Control(func(fd uintptr) {
			set := func(option, value int) error {
				return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, option, value)
			}
			failed = errors.Join(
				unix.SetsockoptICMPv6Filter(int(fd), unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &filter),
				unix.BindToDevice(int(fd), link.Name),
				set(unix.IPV6_MULTICAST_HOPS, ndpHops), set(unix.IPV6_MULTICAST_LOOP, 0),
				set(unix.IPV6_MULTICAST_IF, link.Index), set(unix.IPV6_RECVHOPLIMIT, 1),
			)
		})
		return errors.Join(err, failed)
	}}
	conn, err := config.ListenPacket(ctx, "ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, err
	}
	return conn.(*net.IPConn), nil
}

// solicitedNode is the group that whoever has addr listens to (RFC 4291, 2.7.1).
func solicitedNode(addr netip.Addr) net.IP {
	group, a := netip.MustParseAddr("ff02::1:ff00:0").As16(), addr.As16()
	copy(group[13:], a[13:])
	return group[:]
}

// solicitation asks who has addr. The kernel fills in the checksum.
func solicitation(own net.HardwareAddr, addr netip.Addr) []byte {
	a := addr.As16()
	m := append([]byte{neighbourSolicitation, 0, 0, 0, 0, 0, 0, 0}, a[:]...)
	if len(own) == 6 {
		m = append(append(m, optionSource, 1), own...)
	}
	return m
}

// advertised reads who has addr out of an advertisement; nil when it is no answer
// to that.
func advertised(m []byte, addr netip.Addr) net.HardwareAddr {
	const header = 24 // type, code, checksum, flags, target
	a := addr.As16()
	if len(m) < header || m[0] != neighbourAdvertisement || m[1] != 0 || [16]byte(m[8:header]) != a {
		return nil
	}
	for rest := m[header:]; len(rest) >= 8; {
		size := int(rest[1]) * 8
		if size == 0 || size > len(rest) {
			return nil
		}
		if rest[0] == optionTarget {
			return net.HardwareAddr(append([]byte{}, rest[2:8]...))
		}
		rest = rest[size:]
	}
	return nil
}

// hops is the hop limit in a message's control data, -1 when it is not there.
func hops(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return -1
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return -1
}
