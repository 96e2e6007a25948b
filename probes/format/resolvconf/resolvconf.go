// Package resolvconf reads which resolvers /etc/resolv.conf names.
//
//	resolvconf.Servers([]byte("nameserver 2001:db8::53\n"))   // [2001:db8::53]
package resolvconf

import (
	"net/netip"
	"strings"
)

// maxServers is how many resolvers the C library uses (MAXNS, resolv.conf(5)).
const maxServers = 3

// Servers lists the resolvers that the C library would use, in its order. Lines
// that it would skip mean nothing; without any resolver it asks the local
// machine.
func Servers(data []byte) []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		// The keyword stands at the start of its line.
		if len(f) < 2 || f[0] != "nameserver" || !strings.HasPrefix(line, f[0]) || len(out) == maxServers {
			continue
		}
		if addr, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, addr.Unmap())
		}
	}
	if len(out) == 0 {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return out
}
