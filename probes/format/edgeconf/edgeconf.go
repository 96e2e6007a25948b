// Package edgeconf knows what an edge's directives mean in a configuration that
// package nginxconf has read: where servers listen, where they lead, and which
// headers they add. Those who look and those who write judge by it alike.
//
//	for _, l := range edgeconf.Listens(c) {
//		fmt.Println(l.Addr, l.Pos())
//	}
package edgeconf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/nginxconf"
)

// plainPort is where a server listens that does not say where, when it is started
// by root.
const plainPort = 80

// Address reads the address of a listen directive: "443", "*:443", "[::]:443",
// "[2001:db8::1]", "192.0.2.1:80". Without a port it is 80, without an address
// every IPv4 one. False for a socket's path and for a name.
func Address(arg string) (netip.AddrPort, bool) {
	if port, err := strconv.ParseUint(arg, 10, 16); err == nil {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)), true
	}
	if rest, ok := strings.CutPrefix(arg, "*"); ok {
		arg = netip.IPv4Unspecified().String() + rest
	}
	if at, err := netip.ParseAddrPort(arg); err == nil {
		return at, true
	}
	addr, err := netip.ParseAddr(strings.Trim(arg, "[]"))
	return netip.AddrPortFrom(addr, plainPort), err == nil
}

// A Listen is where one server listens for TCP.
type Listen struct {
	Addr netip.AddrPort
	// Kind is the block that the server is in: "http", "stream" or "mail".
	Kind string
	nginxconf.Directive
}

// Listens returns where the servers of a configuration listen for TCP, as far as
// their addresses are written as numbers.
func Listens(c *nginxconf.Config) []Listen {
	var out []Listen
	for _, kind := range []string{"http", "stream", "mail"} {
		for _, server := range c.Find(kind, "server") {
			listens := server.Find("listen")
			if len(listens) == 0 && kind == "http" {
				at := server
				at.Args, at.Block = []string{strconv.Itoa(plainPort)}, nil
				listens = append(listens, at)
			}
			for _, l := range listens {
				if len(l.Args) == 0 || slices.Contains(l.Args, "udp") || slices.Contains(l.Args, "quic") {
					continue
				}
				if at, ok := Address(l.Args[0]); ok {
					out = append(out, Listen{at, kind, l})
				}
			}
		}
	}
	return out
}

// On reports whether a server listens for TCP on the port at every IPv6 address,
// or at one of its own.
func On(server nginxconf.Directive, own netip.Addr, port uint16) bool {
	return slices.ContainsFunc(server.Find("listen"), func(l nginxconf.Directive) bool {
		if len(l.Args) == 0 {
			return false
		}
		at, ok := Address(l.Args[0])
		return ok && at.Port() == port && (at.Addr() == netip.IPv6Unspecified() || at.Addr() == own)
	})
}

// A Front is one place where an http server hands requests on.
type Front struct {
	nginxconf.Directive // the proxy_pass
	// Adds are the add_header directives that are in force there: the nearest
	// block that has any loses those from around it.
	Adds []nginxconf.Directive
}

// Fronts returns where an http server hands requests on to an address
// ("[::1]:8443"), directly or by one of the groups of upstreams. Adds is what is in
// force around the server.
func Fronts(server nginxconf.Directive, groups, adds []nginxconf.Directive, to string) []Front {
	if own := server.Find("add_header"); len(own) > 0 {
		adds = own
	}
	var out []Front
	for _, d := range server.Block {
		if d.Name == "proxy_pass" && len(d.Args) == 1 {
			_, host, _ := strings.Cut(d.Args[0], "://")
			host, _, _ = strings.Cut(host, "/")
			if host == to || slices.Contains(Group(groups, host), to) {
				out = append(out, Front{d, adds})
			}
			continue
		}
		out = append(out, Fronts(d, groups, adds, to)...)
	}
	return out
}

// Group returns the servers of the group of that name among upstream blocks, nil
// when there is none. Those that are marked down don't count.
func Group(groups []nginxconf.Directive, name string) []string {
	for _, g := range groups {
		if g.Name != "upstream" || len(g.Args) != 1 || g.Args[0] != name {
			continue
		}
		servers := []string{}
		for _, s := range g.Find("server") {
			if len(s.Args) > 0 && !slices.Contains(s.Args[1:], "down") {
				servers = append(servers, s.Args[0])
			}
		}
		return servers
	}
	return nil
}
