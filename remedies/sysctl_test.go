package remedies_test

import (
	"net/netip"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// Lines of /proc/net/ipv6_route, as the kernel prints them.
const (
	staticDefault = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
	learntDefault = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00450003     eth0\n"
	learntPrefix  = "20010db8000000010000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00440001     eth1\n"
	noRoute       = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)

func address(iface, prefix string) host.Address {
	return host.Address{Interface: iface, Prefix: netip.MustParsePrefix(prefix)}
}

// kernel makes up the parameters of interfaces, all as a new kernel has them.
func kernel(routes string, ifaces ...string) hosttest.Option {
	return func(m *hosttest.Machine) {
		hosttest.File("/proc/net/ipv6_route", routes)(m)
		for _, i := range append(ifaces, "all", "default", "lo") {
			hosttest.File("/proc/sys/net/ipv6/conf/"+i+"/use_tempaddr", "2\n")(m)
			hosttest.File("/proc/sys/net/ipv6/conf/"+i+"/accept_ra", "1\n")(m)
		}
		hosttest.Dir("/etc/sysctl.d")(m)
		hosttest.Addresses(address("lo", "::1/128"), address("eth0", "2001:db8::1/64"), address("eth0", "fe80::2/64"),
			address("eth1", "2001:db8:0:1::5/64"), address("veth1", "fe80::3/64"))(m)
	}
}

// inForce lists the parameters that are 0.
func inForce(m *remedytest.Machine, ifaces ...string) string {
	var off []string
	for _, i := range ifaces {
		for _, p := range []string{"use_tempaddr", "accept_ra"} {
			if content(m, "/proc/sys/net/ipv6/conf/"+i+"/"+p) == "0\n" {
				off = append(off, i+"."+p)
			}
		}
	}
	return strings.Join(off, " ")
}

func settings(text string) string {
	var lines []string
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, "#") {
			lines = append(lines, strings.ReplaceAll(strings.TrimSpace(l), "net.ipv6.conf.", ""))
		}
	}
	return strings.Join(lines, "; ")
}

func TestSysctl(t *testing.T) {
	tests := map[string]struct {
		routes       string
		force, files string
	}{
		"static default route": {
			staticDefault + noRoute,
			"all.use_tempaddr all.accept_ra default.use_tempaddr default.accept_ra eth0.use_tempaddr eth0.accept_ra veth1.use_tempaddr veth1.accept_ra",
			"all.use_tempaddr = 0; all.accept_ra = 0; default.use_tempaddr = 0; default.accept_ra = 0; eth0.use_tempaddr = 0; eth0.accept_ra = 0",
		},
		"default route by advertisement": {
			learntDefault + noRoute,
			"all.use_tempaddr default.use_tempaddr eth0.use_tempaddr veth1.use_tempaddr",
			"all.use_tempaddr = 0; default.use_tempaddr = 0; eth0.use_tempaddr = 0",
		},
		"no default route": {
			noRoute,
			"all.use_tempaddr default.use_tempaddr eth0.use_tempaddr veth1.use_tempaddr",
			"all.use_tempaddr = 0; default.use_tempaddr = 0; eth0.use_tempaddr = 0",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(kernel(tt.routes, "eth0", "veth1"))
			mend(t, remedies.Sysctl{}, m)
			same(t, "in force", tt.force, inForce(m, "all", "default", "lo", "eth0", "veth1"))
			same(t, "99-ipv6.conf", tt.files, settings(content(m, "/etc/sysctl.d/99-ipv6.conf")))
			again(t, remedies.Sysctl{}, m)
		})
	}
}

// TestSysctlLearntInterface sees that an interface which lives on router
// advertisements goes on hearing them.
func TestSysctlLearntInterface(t *testing.T) {
	m := remedytest.New(kernel(staticDefault+learntPrefix, "eth0", "eth1"))
	mend(t, remedies.Sysctl{}, m)
	same(t, "in force", "eth0.use_tempaddr eth0.accept_ra eth1.use_tempaddr", inForce(m, "eth0", "eth1"))
}

func TestSysctlFiles(t *testing.T) {
	const own = "/etc/sysctl.d/99-ipv6.conf"
	healed := remedytest.New(kernel(staticDefault, "eth0", "eth0.200"))
	healed.Change(hosttest.Addresses(address("eth0", "2001:db8::1/64"), address("eth0.200", "2001:db8:2::1/64")))
	mend(t, remedies.Sysctl{}, healed)
	right := content(healed, own)
	if !strings.Contains(right, "\nnet/ipv6/conf/eth0.200/accept_ra = 0\n") {
		t.Errorf("the interface with a dot in its name is not set:\n%s", right)
	}
	tests := map[string]struct{ file, in, want string }{
		"a value of ours changed":      {own, strings.Replace(right, "all.use_tempaddr = 0", "all.use_tempaddr = 2", 1), right},
		"a line of ours removed":       {own, strings.TrimSuffix(right, "net/ipv6/conf/eth0.200/accept_ra = 0\n"), right},
		"a later file":                 {"/etc/sysctl.d/99-zz.conf", "# x\nnet.ipv6.conf.all.use_tempaddr=2\n", "# x\nnet.ipv6.conf.all.use_tempaddr=0\n"},
		"what sysctl --system ends by": {"/etc/sysctl.conf", "net.ipv6.conf.eth0.accept_ra = 1\n", "net.ipv6.conf.eth0.accept_ra = 0\n"},
		"an earlier file counts for nothing": {
			"/etc/sysctl.d/10-privacy.conf", "net.ipv6.conf.all.use_tempaddr=2\n", "net.ipv6.conf.all.use_tempaddr=2\n",
		},
		"a glob covers no key that is named": {
			"/etc/sysctl.d/99-zz.conf", "net.ipv6.conf.*.use_tempaddr=2\n", "net.ipv6.conf.*.use_tempaddr=2\n",
		},
		"a package's": {"/usr/lib/sysctl.d/99-zz.conf", "net.ipv6.conf.all.use_tempaddr=2\n", "net.ipv6.conf.all.use_tempaddr=0\n"},
		"-1 is never": {"/etc/sysctl.d/99-zz.conf", "net.ipv6.conf.all.use_tempaddr=-1\n", "net.ipv6.conf.all.use_tempaddr=-1\n"},
		"no *.conf":   {"/etc/sysctl.d/README", "net.ipv6.conf.all.use_tempaddr=2\n", "net.ipv6.conf.all.use_tempaddr=2\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			healed.Change(hosttest.File(own, right), hosttest.File(tt.file, tt.in))
			defer healed.Set(tt.file, nil)
			mend(t, remedies.Sysctl{}, healed)
			same(t, tt.file, tt.want, content(healed, tt.file))
			same(t, own, right, content(healed, own))
			again(t, remedies.Sysctl{}, healed)
		})
	}
}

// TestSysctlLink is Debian's 99-sysctl.conf, which leads to /etc/sysctl.conf.
func TestSysctlLink(t *testing.T) {
	m := remedytest.New(kernel(staticDefault, "eth0"), hosttest.Link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf"),
		hosttest.File("/etc/sysctl.conf", "net.ipv6.conf.default.use_tempaddr = 2\n"))
	mend(t, remedies.Sysctl{}, m)
	same(t, "/etc/sysctl.conf", "net.ipv6.conf.default.use_tempaddr = 0\n", content(m, "/etc/sysctl.conf"))
	again(t, remedies.Sysctl{}, m)
}

// TestSysctlHidden: what a link to /dev/null hides is not read.
func TestSysctlHidden(t *testing.T) {
	m := remedytest.New(kernel(staticDefault, "eth0"))
	mend(t, remedies.Sysctl{}, m)
	const package99 = "/usr/lib/sysctl.d/99-zz.conf"
	m.Change(hosttest.File(package99, "net.ipv6.conf.all.use_tempaddr=2\n"), hosttest.Link("/etc/sysctl.d/99-zz.conf", "/dev/null"))
	again(t, remedies.Sysctl{}, m)
}

// TestSysctlBeforeAddress: the public address may be missing still, and its
// interface is known by the default route.
func TestSysctlBeforeAddress(t *testing.T) {
	m := remedytest.New(kernel(staticDefault, "eth0"), hosttest.Addresses())
	mend(t, remedies.Sysctl{}, m)
	m.Change(hosttest.Addresses(address("eth0", "2001:db8::1/64")))
	again(t, remedies.Sysctl{}, m)
}
