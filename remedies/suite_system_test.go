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

// TestSystemSuite holds the remedies of the system to their contract.
func TestSystemSuite(t *testing.T) {
	lines := []remedies.HostsLine{{Addr: publicAddr, Names: []string{"idp.example.org", "idp"}}}
	running := hosttest.Unit("nginx.service", host.Running)
	for name, tt := range map[string]struct {
		r remedies.Remedy
		m *remedytest.Machine
	}{
		"hostname": {
			remedies.Hostname{Name: "idp", Public: []string{"idp.example.org"}},
			remedytest.New(hosttest.File("/etc/hostname", "idp.example.org\n"), hosttest.File(host.HostnameFile, "idp.example.org\n")),
		},
		"hosts":  {remedies.Hosts{Lines: lines}, remedytest.New(hosttest.File("/etc/hosts", "127.0.1.1 idp.example.org box\n"))},
		"gai":    {remedies.GAI{}, remedytest.New(hosttest.File("/etc/gai.conf", "precedence ::ffff:0:0/96 100\n"))},
		"sysctl": {remedies.Sysctl{}, remedytest.New(kernel(staticDefault, "eth0"))},
		"address": {
			remedies.Address{Addr: publicAddr, Interface: "eth0", Prefix: 64},
			interfaces(remedytest.New(hosttest.Addresses(host.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/64"), DADFailed: true}))),
		},
		"address learned": {
			remedies.Address{Addr: publicAddr},
			interfaces(remedytest.New(hosttest.Dir("/var/lib"), hosttest.Addresses(address("eth0", "2001:db8::1/64")))),
		},
		"packages":       {remedies.PackageSet{Uses: []string{"nginx", "certbot"}}, remedytest.New(hosttest.Dir("/usr/sbin"))},
		"nginx":          {nginxEdge, remedytest.New(debianNginx, running)},
		"nginx, stopped": {nginxEdge, remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Stopped))},
	} {
		t.Run(name, func(t *testing.T) { remedytest.Suite(t, tt.r, tt.m) })
	}
}

// TestServiceSuite: a service that failed, was masked, or is not for the next
// boot.
func TestServiceSuite(t *testing.T) {
	for name, u := range map[string]host.Unit{
		"stopped": {State: host.Stopped, Enabled: true},
		"failed":  {State: host.Failed, Enabled: false, Result: "start-limit-hit"},
		"masked":  {State: host.Masked},
	} {
		t.Run(strings.ToLower(name), func(t *testing.T) {
			u.Name = "nginx.service"
			remedytest.Suite(t, remedies.Service{Name: "nginx"}, remedytest.New(hosttest.Service(u)))
		})
	}
}
