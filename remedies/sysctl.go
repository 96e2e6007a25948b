package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/probes/format/sysctlconf"
	"watchdog/probes/host"
)

// Sysctl turns privacy addresses off, and router advertisements where the
// default route does not come from them, at run time and for the next start.
type Sysctl struct{}

// Spec implements [Remedy].
func (r Sysctl) Spec() Spec {
	return Spec{ID: "system.sysctl", Summary: "set the IPv6 kernel parameters", Risk: Harmless, Timeout: 30 * time.Second}
}

const (
	sysctlFile = "/etc/sysctl.d/99-ipv6.conf"
	sysctlHead = "# IPv6 of a host with a static address. \"all\" and \"default\" do not reach\n" +
		"# interfaces that are up already: each has lines of its own.\n"
	confDir = "/proc/sys/net/ipv6/conf"
)

// Plan implements [Remedy].
func (r Sysctl) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	names, err := h.FS.ReadDir(confDir)
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, errors.New("set the IPv6 kernel parameters: the kernel has no IPv6 (" + confDir + " is missing)")
	}
	if err != nil {
		return Plan{}, err
	}
	routes, err := h.FS.ReadFile("/proc/net/ipv6_route")
	if err != nil {
		return Plan{}, fmt.Errorf("read the routes: %w", err)
	}
	addresses, err := h.Net.Addresses(ctx)
	if err != nil {
		return Plan{}, err
	}
	table := readRoutes(string(routes))
	var running, kept []string // keys, at run time and for the next start
	for _, name := range names {
		if name == "lo" {
			continue
		}
		keys := []string{sysctlKey(name, "use_tempaddr")}
		if table.advertless(name) {
			keys = append(keys, sysctlKey(name, "accept_ra"))
		}
		running = append(running, keys...)
		// Of the rest, an interface may be there today and gone tomorrow.
		if name == "all" || name == "default" || table.static[name] || hasGlobal(addresses, name) {
			kept = append(kept, keys...)
		}
	}
	p := Plan{Remedy: r.Spec().ID}
	if p.Edits, err = persist(h, kept); err != nil {
		return Plan{}, err
	}
	for _, key := range running {
		n, err := h.FS.Node(sysctlconf.Path(key))
		if err != nil {
			return Plan{}, err
		}
		if n == nil || off(string(n.Data)) {
			continue
		}
		zero := *n
		zero.Data = []byte("0\n")
		p.Edits = append(p.Edits, Write{Path: sysctlconf.Path(key), Old: n, New: &zero})
	}
	return p, nil
}

// sysctlKey is the key of an interface's parameter. The form with slashes is
// for names with a dot in them (eth0.200).
func sysctlKey(iface, parameter string) string {
	if strings.Contains(iface, ".") {
		return "net/ipv6/conf/" + iface + "/" + parameter
	}
	return "net.ipv6.conf." + iface + "." + parameter
}

// hasGlobal reports whether the interface has an address of the world's: those
// of containers come and go and have none.
func hasGlobal(all []host.Address, iface string) bool {
	return slices.ContainsFunc(all, func(a host.Address) bool {
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

// sysctlDirs are those of sysctl.d(5): a file in an earlier one hides the one
// of the same name in a later one.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// sysctlNames lists the files of the next start in the order of systemd-sysctl,
// our own with them, and behind them what sysctl --system adds.
func sysctlNames(h *host.Host) ([]string, error) {
	at := map[string]string{path.Base(sysctlFile): sysctlFile}
	for _, dir := range sysctlDirs {
		names, err := h.FS.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".conf") && at[n] == "" {
				at[n] = dir + "/" + n
			}
		}
	}
	var all []string
	for _, n := range slices.Sorted(maps.Keys(at)) {
		all = append(all, at[n])
	}
	return append(all, "/etc/sysctl.conf"), nil
}

// persist returns the edits after which keys are 0 at the next start. A file
// that is applied later and says otherwise is set right in its place.
func persist(h *host.Host, keys []string) ([]Edit, error) {
	names, err := sysctlNames(h)
	if err != nil {
		return nil, err
	}
	texts, files, own := []text{}, []sysctlconf.File{}, 0
	for _, name := range names {
		n, err := h.FS.Node(name)
		if err != nil {
			return nil, err
		}
		if n != nil && string(n.Data) == "/dev/null" {
			continue // hidden on purpose
		}
		t, err := readText(h, name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(texts, func(u text) bool { return u.path == t.path }) {
			continue // Debian's 99-sysctl.conf leads to /etc/sysctl.conf
		}
		if name == sysctlFile {
			own = len(texts)
			if t.old == nil {
				t.data = []byte(sysctlHead)
			}
		}
		texts, files = append(texts, t), append(files, sysctlconf.Parse(t.data))
	}
	for _, key := range keys {
		s, at, ok := sysctlconf.Lookup(files, key)
		if ok && off(s.Value) {
			continue
		}
		if !ok || strings.ContainsAny(s.Key, "*?[") {
			at = own
		}
		files[at] = files[at].Set(key, "0")
	}
	var edits []Edit
	for i, t := range texts {
		if t.data = files[i].Bytes(); string(t.data) != sysctlHead {
			edits = append(edits, t.edits()...)
		}
	}
	return edits, nil
}

// off reports whether a parameter's value is what is wanted; -1 is "never".
func off(value string) bool {
	value = strings.TrimSpace(value)
	return value == "0" || value == "-1"
}
