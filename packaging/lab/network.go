package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const resolvConf = "nameserver " + nameServer + "\n"

var gateway = netip.MustParseAddr("fe80::1")

// buildNetwork makes the router and every node's link to it. There is no way out
// of it: the router has no link to the machine's own namespace.
func (l *Lab) buildNetwork() error {
	if err := shareNamespaces(); err != nil {
		return err
	}
	if err := addNamespace(l.namespace(router)); err != nil {
		return err
	}
	err := l.at(router, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range []string{nameServer, serviceHub} {
			if err := h.AddrReplace(lo, address(netip.MustParseAddr(a), 128)); err != nil {
				return err
			}
		}
		return h.LinkSetUp(lo)
	})
	if err != nil {
		return err
	}
	if err := setSysctl(l.namespace(router), "ipv6/conf/all/forwarding", "1"); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := l.connect(n); err != nil {
			return fmt.Errorf("connect %s: %w", n.name, err)
		}
	}
	// `ip netns exec` puts this file over /etc/resolv.conf for what runs in there.
	dir := filepath.Join("/etc/netns", l.namespace(client))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the client's resolv.conf: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte(resolvConf), 0o644)
}

func link(host string) string { return "v-" + host }

// connect adds a node's namespace, its cable, its address and its default route.
func (l *Lab) connect(n node) error {
	ns := l.namespace(n.name)
	if err := addNamespace(ns); err != nil {
		return err
	}
	peer, err := netns.GetFromPath(filepath.Join(netnsDir, ns))
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", ns, err)
	}
	defer peer.Close()
	err = l.at(router, func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = link(n.name)
		return h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(peer)})
	})
	if err != nil {
		return err
	}
	// Duplicate detection would keep an address tentative for a second or two.
	if err := setSysctl(l.namespace(router), "ipv6/conf/"+link(n.name)+"/accept_dad", "0"); err != nil {
		return err
	}
	if err := setSysctl(ns, "ipv6/conf/eth0/accept_dad", "0"); err != nil {
		return err
	}
	if err := l.Plug(n.name); err != nil {
		return err
	}
	return l.at(n.name, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		eth, err := h.LinkByName("eth0")
		if err != nil {
			return err
		}
		return errors.Join(h.LinkSetUp(lo), h.LinkSetUp(eth), h.AddrReplace(eth, address(n.address, 64)),
			h.RouteReplace(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: subnet(netip.MustParseAddr("::"), 0), Gw: gateway.AsSlice()}))
	})
}

// Pull pulls a node's cable: it sees no carrier.
func (l *Lab) Pull(name string) error {
	n, err := findNode(name)
	if err != nil {
		return err
	}
	return l.at(router, func(h *netlink.Handle) error {
		v, err := h.LinkByName(link(n.name))
		if err != nil {
			return err
		}
		return h.LinkSetDown(v)
	})
}

// Plug puts the cable back, with what the router lost by the pull: its address
// on that link and the route to the node.
func (l *Lab) Plug(name string) error {
	n, err := findNode(name)
	if err != nil {
		return err
	}
	return l.at(router, func(h *netlink.Handle) error {
		v, err := h.LinkByName(link(n.name))
		if err != nil {
			return err
		}
		return errors.Join(h.LinkSetUp(v), h.AddrReplace(v, address(gateway, 64)),
			h.RouteReplace(&netlink.Route{LinkIndex: v.Attrs().Index, Dst: subnet(n.address, 128)}))
	})
}

// Claim gives a host's address to the router too, on the link between them: for
// the host, another machine has it.
func (l *Lab) Claim(name string) error {
	n, err := findNode(name)
	if err != nil {
		return err
	}
	return l.at(router, func(h *netlink.Handle) error {
		v, err := h.LinkByName(link(n.name))
		if err != nil {
			return err
		}
		return h.AddrReplace(v, claimed(n))
	})
}

// Yield takes the address from the router again.
func (l *Lab) Yield(name string) error {
	n, err := findNode(name)
	if err != nil {
		return err
	}
	return l.at(router, func(h *netlink.Handle) error {
		v, err := h.LinkByName(link(n.name))
		if err != nil {
			return err
		}
		if err := h.AddrDel(v, claimed(n)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return err
		}
		return nil
	})
}

// claimed is a node's address as the router has it beside its route to the node.
func claimed(n node) *netlink.Addr {
	a := address(n.address, 128)
	a.Flags |= unix.IFA_F_NOPREFIXROUTE
	return a
}

// Cut lets the router silently drop everything to and from a host; with a port,
// only what goes to that port, of the host or asked for by the host.
func (l *Lab) Cut(ctx context.Context, name string, port int) error {
	n, err := findNode(name)
	if err != nil {
		return err
	}
	return l.nft(ctx, cutRules(n, port))
}

func cutRules(n node, port int) string {
	match := ""
	if port > 0 {
		match = " meta l4proto { tcp, udp } th dport " + strconv.Itoa(port)
	}
	table := "inet cut-" + n.name
	var b strings.Builder
	fmt.Fprintf(&b, "add table %s\n", table)
	for _, hook := range []string{"forward", "output", "input"} {
		fmt.Fprintf(&b, "add chain %s %s { type filter hook %s priority 0; }\n", table, hook, hook)
		fmt.Fprintf(&b, "add rule %s %s ip6 daddr %s%s drop\n", table, hook, n.address, match)
		fmt.Fprintf(&b, "add rule %s %s ip6 saddr %s%s drop\n", table, hook, n.address, match)
	}
	return b.String()
}

// Join ends every cut of a host, or of all hosts when name is empty.
func (l *Lab) Join(ctx context.Context, name string) error {
	ends := nodes
	if name != "" {
		n, err := findNode(name)
		if err != nil {
			return err
		}
		ends = []node{n}
	}
	var b strings.Builder
	for _, n := range ends {
		// Adding first makes the deletion of a table that is not there no error.
		fmt.Fprintf(&b, "add table inet cut-%s\ndelete table inet cut-%s\n", n.name, n.name)
	}
	return l.nft(ctx, b.String())
}

func (l *Lab) nft(ctx context.Context, script string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return within(l.namespace(router), func() error {
		c := l.command(ctx, "nft", "-f", "-")
		c.Stdin = strings.NewReader(script)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("change the router's rules: %w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	})
}

// at gives f a netlink handle whose sockets are in a node's namespace.
func (l *Lab) at(node string, f func(*netlink.Handle) error) error {
	name := l.namespace(node)
	ns, err := netns.GetFromPath(filepath.Join(netnsDir, name))
	if errors.Is(err, os.ErrNotExist) {
		return l.notUp()
	}
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in %s: %w", name, err)
	}
	defer h.Close()
	if err := f(h); err != nil {
		return fmt.Errorf("set up network namespace %s: %w", name, err)
	}
	return nil
}

func (l *Lab) notUp() error {
	return &Refusal{"bring the lab up first: " + l.typed("lab up")}
}

func subnet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, 128)}
}

func address(a netip.Addr, bits int) *netlink.Addr {
	return &netlink.Addr{IPNet: subnet(a, bits), Flags: unix.IFA_F_NODAD}
}
