package system

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const fqdn = "idp.breathtechnology.co.uk"

var public = netip.MustParseAddr("2a02:8012:bc57:cafe::babe")

// ahosts is what getent prints for addresses.
func ahosts(addrs ...string) string {
	out := ""
	for _, a := range addrs {
		out += a + "  STREAM " + fqdn + "\n" + a + "  DGRAM  \n" + a + "  RAW    \n"
	}
	return out
}

func TestHostName(t *testing.T) {
	probetest.Suite{
		Probe:      HostName{Public: []string{fqdn, "ollama.breathtechnology.co.uk"}},
		BareIsWell: "it has a name, which is not public",
		Cases: map[string]probetest.Case{
			"short": {Host: []hosttest.Option{hosttest.File(host.HostnameFile, "idp\n")}},
			"public": {
				Host: []hosttest.Option{
					hosttest.File(host.HostnameFile, fqdn+"\n"),
					hosttest.Output("getent ahosts "+fqdn, ahosts("fe80::1", public.String(), "172.17.0.1")),
				},
				Want: []string{"host.name-is-fqdn"}, Says: []string{"172.17.0.1", fqdn},
			},
			"another public one, in capitals": {
				Host: []hosttest.Option{hosttest.File(host.HostnameFile, "OLLAMA.breathtechnology.co.uk.\n")},
				Want: []string{"host.name-is-fqdn"},
			},
			"part of a public one": {Host: []hosttest.Option{hosttest.File(host.HostnameFile, "breathtechnology.co.uk\n")}},
			"not readable":         {Host: []hosttest.Option{hosttest.Unreadable(host.HostnameFile, errors.New("no"))}, Err: "read the host name"},
		},
	}.Run(t)
}

func TestHosts(t *testing.T) {
	const head = "127.0.0.1 localhost\n::1 localhost\n"
	const right = "2a02:8012:bc57:cafe::babe " + fqdn + " idp\n"
	file := func(text string) hosttest.Option { return hosttest.File("/etc/hosts", text) }
	answers := func(addrs ...string) hosttest.Option {
		return hosttest.Output("getent ahosts "+fqdn, ahosts(addrs...))
	}
	wrong := []string{"host.hosts-wrong-address " + fqdn}
	probetest.Suite{
		Probe: Hosts{Names: []Name{{fqdn, public, true}, {"ollama.breathtechnology.co.uk", netip.MustParseAddr("2a02:8012:bc57:c0d2::babe"), false}}},
		Cases: map[string]probetest.Case{
			"right": {Host: []hosttest.Option{file(head + right), answers(public.String())}},
			"a container bridge": {
				Host: []hosttest.Option{file(head + "172.17.0.1 " + fqdn + " idp\n"), answers("172.17.0.1")},
				Want: wrong, Says: []string{"/etc/hosts:3", "172.17.0.1", public.String()},
			},
			"link-local":  {Host: []hosttest.Option{file(head + "fe80::1 " + fqdn + "\n"), answers("fe80::1")}, Want: wrong},
			"Debian's":    {Host: []hosttest.Option{file(head + "127.0.1.1 " + fqdn + " idp\n"), answers("127.0.1.1")}, Want: wrong},
			"a line more": {Host: []hosttest.Option{file("127.0.1.1 " + fqdn + "\n" + right), answers("127.0.1.1", public.String())}, Want: wrong, Says: []string{"/etc/hosts:1"}},
			"wrong, and getent is not there": {
				Host: []hosttest.Option{file("127.0.1.1 " + fqdn + "\n")}, Want: wrong, Says: []string{"no answer"},
			},
			"no line": {
				Host: []hosttest.Option{file(head), answers(public.String())},
				Want: []string{"host.hosts-missing " + fqdn}, Says: []string{public.String() + " " + fqdn},
			},
			"no file": {Host: []hosttest.Option{answers()}, Want: []string{"host.hosts-missing " + fqdn}},
			"another host's name, wrong": {
				Host: []hosttest.Option{file(right + "10.0.0.1 ollama.breathtechnology.co.uk\n"), answers(public.String())},
				Want: []string{"host.hosts-wrong-address ollama.breathtechnology.co.uk"},
			},
			"file right, answer not": {Host: []hosttest.Option{file(right), answers("fe80::1")}, Err: "/etc/nsswitch.conf"},
			"file right, no answer":  {Host: []hosttest.Option{file(right)}, Err: "ask the C library"},
		},
	}.Run(t)
}

func TestGAI(t *testing.T) {
	file := func(text string) []hosttest.Option {
		return []hosttest.Option{hosttest.File("/etc/gai.conf", text)}
	}
	want := []string{"host.gai-ipv4-first"}
	probetest.Suite{
		Probe: GAI{},
		Cases: map[string]probetest.Case{
			"the site's":    {Host: file("precedence ::1/128  110\nprecedence ::/0  100\nprecedence ::ffff:0:0/96  10\n")},
			"reversed":      {Host: file("precedence ::/0  10\nprecedence ::ffff:0:0/96  100\n"), Want: want, Says: []string{"/etc/gai.conf:2", "IPv6 10, IPv4 100"}},
			"removed":       {Host: file("# precedence ::/0  100\n"), Want: want, Says: []string{"built in"}},
			"no file":       {Want: want},
			"no difference": {Host: file("precedence ::/0 100\n"), Want: want, Says: []string{"IPv6 100, IPv4 100"}},
			"prefers IPv4": {
				Host: file("precedence ::ffff:0:0/96  100\n"), Want: want, Says: []string{"/etc/gai.conf:1", "IPv6 40 (built in), IPv4 100"},
			},
		},
	}.Run(t)
}

func TestSysctl(t *testing.T) {
	const conf = "/proc/sys/net/ipv6/conf/"
	// Default routes as /proc/net/ipv6_route has them: via fe80::1 by hand, as
	// in a lab host, and of an advertisement.
	const byHand = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
	const learnt = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00450003     eth0\n"
	const kept = "net.ipv6.conf.all.accept_ra=0\nnet.ipv6.conf.default.accept_ra=0\nnet.ipv6.conf.eth0.accept_ra=0\n" +
		"net.ipv6.conf.all.use_tempaddr=0\n"
	site := func(opts ...hosttest.Option) []hosttest.Option {
		base := []hosttest.Option{
			hosttest.File("/etc/sysctl.d/99-ipv6.conf", kept),
			hosttest.File("/proc/net/ipv6_route", byHand),
			hosttest.Addresses(host.Address{Interface: "eth0", Prefix: netip.PrefixFrom(public, 64)}, host.Address{Interface: "docker0", Prefix: netip.MustParsePrefix("fe80::2/64")}),
		}
		for _, name := range []string{"all", "default", "eth0", "docker0"} {
			base = append(base, hosttest.File(conf+name+"/accept_ra", "0\n"), hosttest.File(conf+name+"/use_tempaddr", "0\n"))
		}
		// What the loopback says does not matter.
		base = append(base, hosttest.File(conf+"lo/accept_ra", "1\n"), hosttest.File(conf+"lo/use_tempaddr", "-1\n"))
		return append(base, opts...)
	}
	probetest.Suite{
		Probe: Sysctl{},
		Cases: map[string]probetest.Case{
			"right": {Host: site()},
			"privacy addresses": {
				Host: site(hosttest.File(conf+"eth0/use_tempaddr", "2\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.eth0.use_tempaddr"}, Says: []string{conf + "eth0/use_tempaddr"},
			},
			"an interface without address too": {
				Host: site(hosttest.File(conf+"docker0/accept_ra", "1\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.docker0.accept_ra"},
			},
			"never is fine, and a missing key": {Host: site(hosttest.File(conf+"sit0/use_tempaddr", "-1\n"))},
			"an interface with a dot": {
				Host: site(hosttest.File(conf+"eth0.200/accept_ra", "2\n")),
				Want: []string{"host.sysctl-drift net/ipv6/conf/eth0.200/accept_ra"},
			},
			"a later file": {
				Host: site(hosttest.File("/etc/sysctl.d/99-zz.conf", "# x\nnet.ipv6.conf.all.accept_ra = 1\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.all.accept_ra"}, Says: []string{"/etc/sysctl.d/99-zz.conf:2"},
			},
			"run time and file": {
				Host: site(hosttest.File(conf+"all/accept_ra", "1\n"), hosttest.File("/etc/sysctl.d/99-ipv6.conf", kept+"net.ipv6.conf.all.accept_ra=1\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.all.accept_ra"}, Says: []string{"/etc/sysctl.d/99-ipv6.conf:5", conf + "all/accept_ra"},
			},
			"a later file that another hides": {
				Host: site(hosttest.File("/usr/lib/sysctl.d/99-zz.conf", "net.ipv6.conf.all.accept_ra=1\n"), hosttest.File("/etc/sysctl.d/99-zz.conf", "")),
			},
			"hidden by a link to nothing": {
				Host: site(hosttest.File("/usr/lib/sysctl.d/99-zz.conf", "net.ipv6.conf.all.accept_ra=1\n"), hosttest.Link("/etc/sysctl.d/99-zz.conf", "/dev/null"), hosttest.Unreadable("/dev/null", errors.New("not a regular file"))),
			},
			"Debian's link to sysctl.conf": {
				Host: site(hosttest.Link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf"), hosttest.File("/etc/sysctl.conf", "net.ipv6.conf.default.use_tempaddr=2\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.default.use_tempaddr"}, Says: []string{"/etc/sysctl.conf:1"},
			},
			"no line": {
				Host: site(hosttest.File("/etc/sysctl.d/99-ipv6.conf", "")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.all.accept_ra", "host.sysctl-drift net.ipv6.conf.default.accept_ra", "host.sysctl-drift net.ipv6.conf.eth0.accept_ra"},
				Says: []string{"1 at the next start"},
			},
			"a default route by advertisement": {
				Host: site(hosttest.File("/proc/net/ipv6_route", learnt), hosttest.File("/etc/sysctl.d/99-ipv6.conf", ""),
					hosttest.File(conf+"all/accept_ra", "1\n"), hosttest.File(conf+"eth0/accept_ra", "1\n"), hosttest.File(conf+"docker0/accept_ra", "1\n")),
				Want: []string{"host.accept-ra-needed eth0"}, Says: []string{conf + "eth0/accept_ra", "ip -6 route show"},
			},
			"and privacy addresses": {
				Host: site(hosttest.File("/proc/net/ipv6_route", learnt), hosttest.File(conf+"eth0/accept_ra", "2\n"), hosttest.File(conf+"eth0/use_tempaddr", "2\n")),
				Want: []string{"host.sysctl-drift net.ipv6.conf.eth0.use_tempaddr", "host.accept-ra-needed eth0"},
			},
			"no default route, and nobody listens": {Host: site(hosttest.File("/proc/net/ipv6_route", ""))},
			"no default route": {
				Host: site(hosttest.File("/proc/net/ipv6_route", ""), hosttest.File(conf+"eth0/accept_ra", "1\n")),
				Want: []string{"host.accept-ra-needed eth0"},
			},
			"before its address": {
				Host: site(hosttest.Addresses(), hosttest.File("/etc/sysctl.d/99-ipv6.conf", strings.Replace(kept, "net.ipv6.conf.eth0.accept_ra=0\n", "", 1))),
				Want: []string{"host.sysctl-drift net.ipv6.conf.eth0.accept_ra"},
			},
			"kernel without IPv6": {Err: "the kernel has no IPv6"},
			"routes unknown":      {Host: site(hosttest.Unreadable("/proc/net/ipv6_route", errors.New("gone"))), Err: "read the routes"},
		},
	}.Run(t)
}

func TestAddress(t *testing.T) {
	on := func(a host.Address) []hosttest.Option {
		a.Interface = "eth0"
		return []hosttest.Option{hosttest.Addresses(host.Address{Interface: "lo", Prefix: netip.MustParsePrefix("::1/128")}, a)}
	}
	probetest.Suite{
		Probe: Address{Public: public},
		Cases: map[string]probetest.Case{
			"there":      {Host: on(host.Address{Prefix: netip.PrefixFrom(public, 64)})},
			"deprecated": {Host: on(host.Address{Prefix: netip.PrefixFrom(public, 64), Deprecated: true})},
			"another":    {Host: on(host.Address{Prefix: netip.MustParsePrefix("2a02:8012:bc57:cafe::1/64")}), Want: []string{"host.address-missing"}, Says: []string{"cafe::1/64 on eth0"}},
			"none":       {Host: on(host.Address{Prefix: netip.MustParsePrefix("fe80::1/64")}), Want: []string{"host.address-missing"}, Says: []string{"no global IPv6 address"}},
			"duplicate":  {Host: on(host.Address{Prefix: netip.PrefixFrom(public, 64), DADFailed: true, Tentative: true}), Want: []string{"host.address-dad-failed"}, Says: []string{"another machine answered for it", "nobody does any more"}},
			"held": {
				Host: append(on(host.Address{Prefix: netip.PrefixFrom(public, 64), DADFailed: true, Tentative: true}), hosttest.Holder(public.String(), "02:00:00:00:00:07")),
				Want: []string{"host.address-dad-failed"}, Says: []string{`"awaits": "the machine with hardware address 02:00:00:00:00:07 gives it up"`},
			},
			"tentative": {Host: on(host.Address{Prefix: netip.PrefixFrom(public, 64), Tentative: true}), Want: []string{"host.address-dad-failed"}, Says: []string{"tentative"}},
		},
	}.Run(t)
}
