package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the machine's own [Net], as far as this process's network
// namespace goes.
type network struct{ owners owners }

// Addresses implements [Net].
func (*network) Addresses(ctx context.Context) ([]Address, error) {
	list, err := dump(ctx, func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	byIndex := map[int]string{}
	for _, l := range links {
		byIndex[l.Index] = l.Name
	}
	var out []Address
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		bits, _ := a.Mask.Size()
		six := !ip.Unmap().Is4()
		out = append(out, Address{
			Interface:  byIndex[a.LinkIndex],
			Prefix:     netip.PrefixFrom(ip.Unmap(), bits),
			Tentative:  a.Flags&unix.IFA_F_TENTATIVE != 0,
			DADFailed:  a.Flags&unix.IFA_F_DADFAILED != 0,
			Deprecated: a.Flags&unix.IFA_F_DEPRECATED != 0,
			// The same bit means "secondary" of an IPv4 address.
			Temporary: six && a.Flags&unix.IFA_F_TEMPORARY != 0,
		})
	}
	return out, nil
}

// dump asks the kernel again when its list changed while it was read.
func dump[T any](ctx context.Context, list func() (T, error)) (T, error) {
	for {
		if err := ctx.Err(); err != nil {
			var none T
			return none, err
		}
		v, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return v, err
		}
	}
}
