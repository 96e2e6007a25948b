package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/sysctlconf"
)

// ipv6Conf has a directory for each interface, and for "all" and "default".
const ipv6Conf = "/proc/sys/net/ipv6/conf"

// An IPv6Parameter is a kernel parameter that a host with a fixed address has
// at 0: no privacy addresses, and no addresses and routes from whoever
// announces them.
type IPv6Parameter struct {
	Interface string // or "all" or "default", which do not reach interfaces that are up already
	Name      string // "use_tempaddr" or "accept_ra"
	Key       string // net.ipv6.conf.eth0.accept_ra
	// Needed says that the parameter stays as it is: it is not proved that the
	// interface loses nothing without router advertisements.
	Needed bool
	// Kept says that the next start counts too. The other interfaces may be
	// there today and gone tomorrow, as those of containers are.
	Kept bool
}

// Right reports whether the value is the one that is wanted. A negative
// use_tempaddr is "never"; of accept_ra the kernel takes that for "yes".
func (p IPv6Parameter) Right(value string) bool {
	value = strings.TrimSpace(value)
	return value == "0" || value == "-1" && p.Name == "use_tempaddr"
}

// IPv6Parameters lists the parameters of all interfaces but the loopback. It
// decides which of them are the site's, for those who look and those who set.
func (h *Host) IPv6Parameters(ctx context.Context) ([]IPv6Parameter, error) {
	names, err := h.FS.ReadDir(ipv6Conf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("list the IPv6 kernel parameters: the kernel has no IPv6 (" + ipv6Conf + " is missing)")
	}
	if err != nil {
		return nil, fmt.Errorf("list the IPv6 kernel parameters: %w", err)
	}
	text, err := h.FS.ReadFile("/proc/net/ipv6_route")
	if err != nil {
		return nil, fmt.Errorf("read the routes: %w", err)
	}
	addresses, err := h.Net.Addresses(ctx)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	routes := readRoutes(string(text))
	var out []IPv6Parameter
	for _, name := range names {
		if name == "lo" {
			continue
		}
		kept := name == "all" || name == "default" || routes.static[name] || HasGlobal(addresses, name)
		for _, parameter := range []string{"use_tempaddr", "accept_ra"} {
			out = append(out, IPv6Parameter{
				Interface: name, Name: parameter, Key: sysctlconf.Key("net", "ipv6", "conf", name, parameter),
				Needed: parameter == "accept_ra" && !routes.advertless(name), Kept: kept,
			})
		}
	}
	return out, nil
}

// HasGlobal reports whether the interface has an IPv6 address of the world's:
// those of containers have none.
func HasGlobal(all []Address, iface string) bool {
	return slices.ContainsFunc(all, func(a Address) bool {
		ip := a.Prefix.Addr()
		return a.Interface == iface && ip.Is6() && !ip.Is4In6() && ip.IsGlobalUnicast()
	})
}

// Flags of a route, from linux/ipv6_route.h.
const (
	routeReject     = 0x0200
	routeAddrConf   = 0x00040000 // made of a router advertisement
	routeGateway    = 0x0002
	unspecified     = "00000000000000000000000000000000"
	ipv6RouteFields = 10
)

// A routeTable is what /proc/net/ipv6_route says of router advertisements: by
// interface, whether it has a default route that is not of one, and whether it
// has anything that is.
type routeTable struct{ static, adverts map[string]bool }

func readRoutes(text string) routeTable {
	t := routeTable{map[string]bool{}, map[string]bool{}}
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		if len(f) < ipv6RouteFields {
			continue
		}
		flags, err := strconv.ParseUint(f[8], 16, 32)
		if err != nil || flags&routeReject != 0 {
			continue
		}
		dev := f[9]
		switch {
		case flags&routeAddrConf != 0:
			t.adverts[dev] = true
		case f[0] == unspecified && f[1] == "00" && flags&routeGateway != 0:
			t.static[dev] = true
		}
	}
	return t
}

// advertless reports whether it is proved that the interface, or "all" or
// "default", loses nothing without router advertisements: the host has a static
// default route, and the interface has that one or nothing made of them.
func (t routeTable) advertless(iface string) bool {
	return len(t.static) > 0 && (t.static[iface] || !t.adverts[iface])
}
