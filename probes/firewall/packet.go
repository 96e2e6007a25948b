package firewall

import (
	"net/netip"
	"strconv"
)

// A packet is one that the rules are asked about. Nothing is sent: it exists
// only as the values that a rule can look at.
type packet struct {
	what   string // for people: "a new connection to port 5432"
	proto  string // "tcp" or "icmpv6"
	v6     bool
	fields map[string]value // by nft's selector
}

// A value is what a packet has for a selector; one of the three counts.
type value struct {
	addr  netip.Addr
	word  string   // a name, or a number in decimal
	flags []string // of bits: ct state, tcp flags
}

// Where synthetic packets come from: addresses kept for documentation (RFC
// 9637, RFC 5737), so that no rule about a known peer matches by accident, and
// a router on the link.
var (
	stranger6 = netip.MustParseAddr("3fff:fff:ffff:ffff::1")
	stranger4 = netip.MustParseAddr("203.0.113.99")
	router    = netip.MustParseAddr("fe80::1")
)

// A target is the host that packets arrive at.
type target struct {
	iface  string // "" when it is not known
	v6, v4 netip.Addr
}

// words is a value of bits; none set is not the same as no value.
func words(w ...string) value { return value{flags: append([]string{}, w...)} }

func number(n uint16) value { return value{word: strconv.Itoa(int(n))} }

func (t target) ip(what, proto string, src, dst netip.Addr) packet {
	p := packet{what: what, proto: proto, v6: dst.Is6(), fields: map[string]value{
		"meta l4proto":       {word: numberOf("meta l4proto", proto)},
		"meta pkttype":       {word: "host"},
		"meta iiftype":       {word: "ether"},
		"fib daddr type":     {word: "local"},
		"socket transparent": {word: "0"},
		"ct status":          words(),
	}}
	if t.iface != "" {
		p.fields["meta iifname"] = value{word: t.iface}
		p.fields["meta iif"] = value{word: t.iface}
	}
	ip, family, proto4 := "ip6", "ipv6", "ip6 nexthdr"
	if !p.v6 {
		ip, family, proto4 = "ip", "ipv4", "ip protocol"
	}
	p.fields["meta nfproto"] = value{word: family}
	p.fields["meta protocol"] = value{word: ip}
	p.fields[ip+" saddr"] = value{addr: src}
	p.fields[ip+" daddr"] = value{addr: dst}
	p.fields[proto4] = p.fields["meta l4proto"]
	return p
}

// newTCP is the first packet of a connection from the world.
func (t target) newTCP(what string, dst netip.Addr, port uint16) packet {
	src := stranger6
	if dst.Is4() {
		src = stranger4
	}
	p := t.ip(what, "tcp", src, dst)
	p.ports(49152, port)
	p.fields["tcp flags"] = words("syn")
	p.fields["tcp option maxseg size"] = value{word: "1440"}
	p.fields["ct state"] = words("new")
	p.fields["ct direction"] = value{word: "original"}
	return p
}

// reply is a packet of a connection that this host opened.
func (t target) reply() packet {
	p := t.ip("the answer to a connection of this host's own", "tcp", stranger6, t.v6)
	p.ports(443, 49152)
	p.fields["tcp flags"] = words("ack")
	p.fields["ct state"] = words("established")
	p.fields["ct direction"] = value{word: "reply"}
	return p
}

// tooBig is a router's word that packets must be smaller; without it large
// answers never arrive (RFC 8201, RFC 4890 4.3.1).
func (t target) tooBig() packet {
	p := t.ip("a router's packet-too-big", "icmpv6", stranger6, t.v6)
	p.fields["icmpv6 type"] = value{word: numberOf("icmpv6 type", "packet-too-big")}
	p.fields["icmpv6 code"] = value{word: "0"}
	p.fields["ip6 hoplimit"] = value{word: "57"}
	p.fields["ct state"] = words("related")
	p.fields["ct direction"] = value{word: "reply"}
	return p
}

// neighbour is a message of neighbour discovery, with the hop limit that proves
// it to come from the link (RFC 4861). The kernel does not track them.
func (t target) neighbour(what, kind string, dst netip.Addr) packet {
	p := t.ip(what, "icmpv6", router, dst)
	p.fields["icmpv6 type"] = value{word: numberOf("icmpv6 type", kind)}
	p.fields["icmpv6 code"] = value{word: "0"}
	p.fields["ip6 hoplimit"] = value{word: "255"}
	p.fields["ct state"] = words("untracked")
	if dst.IsMulticast() {
		p.fields["meta pkttype"] = value{word: "multicast"}
		p.fields["fib daddr type"] = value{word: "multicast"}
	}
	return p
}

// solicited is the multicast group that a neighbour asks for addr in (RFC 4291
// 2.7.1).
func solicited(addr netip.Addr) netip.Addr {
	a, group := addr.As16(), netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], a[13:])
	return netip.AddrFrom16(group)
}

func (p packet) ports(src, dst uint16) {
	for _, proto := range []string{"tcp", "th"} {
		p.fields[proto+" sport"] = number(src)
		p.fields[proto+" dport"] = number(dst)
	}
}
