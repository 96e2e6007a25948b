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

func TestHostname(t *testing.T) {
	tests := map[string]struct {
		static, running string
		want            string // of the file afterwards
		did             []string
	}{
		"the public name":               {"idp.example.org\n", "idp.example.org\n", "idp\n", []string{"hostname-set"}},
		"in capitals":                   {"IDP.Example.ORG\n", "IDP.Example.ORG\n", "idp\n", []string{"hostname-set"}},
		"another public name":           {"ollama.example.org", "ollama.example.org", "idp\n", []string{"hostname-set"}},
		"nobody's name":                 {"", "localhost\n", "idp\n", []string{"hostname-set"}},
		"a name of the user's own":      {"box\n", "box\n", "box\n", nil},
		"a domain name of their own":    {"box.lan\n", "box.lan\n", "box.lan\n", nil},
		"own in the file, public now":   {"box\n", "idp.example.org\n", "box\n", []string{"hostname-set"}},
		"public in the file, own now":   {"idp.example.org\n", "box\n", "box\n", nil},
		"none in the file, own by DHCP": {"", "box\n", "", nil},
		"after a comment":               {"# mine\nbox\n", "box\n", "# mine\nbox\n", nil},
	}
	r := remedies.Hostname{Name: "idp", Public: []string{"idp.example.org", "ollama.example.org"}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.File("/etc/hostname", tt.static), hosttest.File(host.HostnameFile, tt.running))
			same(t, "done", tt.did, mend(t, r, m))
			same(t, "/etc/hostname", tt.want, content(m, "/etc/hostname"))
			again(t, r, m)
		})
	}
}

func TestHosts(t *testing.T) {
	const public = "2001:db8::1"
	r := remedies.Hosts{
		Lines:  []remedies.HostsLine{{Addr: netip.MustParseAddr(public), Names: []string{"idp.example.org", "idp"}}},
		Others: []remedies.HostsLine{{Addr: netip.MustParseAddr("2001:db8::2"), Names: []string{"homer.example.org"}}},
	}
	const right = "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n192.0.2.9 printer\n" + public + " idp.example.org idp\n"
	tests := map[string]struct{ in, want string }{
		"no file": {"", "127.0.0.1 localhost\n::1 localhost\n" + public + " idp.example.org idp\n"},
		"right":   {right, right},
		"the public line removed": {
			strings.Replace(right, public+" idp.example.org idp\n", "", 1), right,
		},
		"to a container's address": {strings.Replace(right, public, "172.17.0.1", 1), right},
		"another line by an installer": {
			"127.0.1.1 idp.example.org build\n" + right, "127.0.1.1 build\n" + right,
		},
		"another host of the site, rightly": {"2001:db8::2 homer.example.org\n" + right, "2001:db8::2 homer.example.org\n" + right},
		"another host of the site, astray":  {"192.0.2.7 homer.example.org nas\n" + right, "192.0.2.7 nas\n" + right + "2001:db8::2 homer.example.org\n"},
		"no IPv6 loopback": {
			strings.Replace(right, "::1 localhost ip6-localhost\n", "", 1),
			strings.Replace(right, "::1 localhost ip6-localhost\n", "", 1) + "::1 localhost\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New()
			if tt.in != "" {
				m.Change(hosttest.File("/etc/hosts", tt.in))
			} else {
				m.Change(hosttest.Dir("/etc"))
			}
			mend(t, r, m)
			same(t, "/etc/hosts", tt.want, content(m, "/etc/hosts"))
			again(t, r, m)
		})
	}
}

// TestHostsOverLink sees that a file kept elsewhere is changed there.
func TestHostsOverLink(t *testing.T) {
	m := remedytest.New(hosttest.Link("/etc/hosts", "../srv/hosts"), hosttest.File("/srv/hosts", "::1 localhost"))
	mend(t, remedies.Hosts{}, m)
	same(t, "/srv/hosts", "::1 localhost\n127.0.0.1 localhost\n", content(m, "/srv/hosts"))
	if n := m.Get("/etc/hosts"); string(n.Data) != "../srv/hosts" {
		t.Errorf("/etc/hosts is %q now", n.Data)
	}
	m.Change(hosttest.Link("/etc/hosts", "/etc/hosts"))
	if _, err := (remedies.Hosts{}).Plan(t.Context(), m.Host()); err == nil {
		t.Error("planned over a link to itself")
	}
}

func TestGAI(t *testing.T) {
	const table = "precedence ::1/128  110\nprecedence 2002::/16  30\nprecedence ::/96  20\nprecedence ::/0  100\nprecedence ::ffff:0:0/96  10\n"
	tests := map[string]struct{ in, want string }{
		"Debian's, all comments": {"#precedence ::ffff:0:0/96  100\nlabel ::1/128 0\n", "#precedence ::ffff:0:0/96  100\nlabel ::1/128 0\n" + table},
		"right":                  {"# mine\n" + table, "# mine\n" + table},
		"the guide's two removed": {
			strings.SplitAfter(table, "20\n")[0], table,
		},
		"reversed": {
			strings.NewReplacer("  100", "  10", "  10\n", "  100\n").Replace(table), table,
		},
		"IPv4 first, by a person": {
			"precedence ::ffff:0:0/96  100 # old net\n",
			"precedence ::ffff:0:0/96  10 # old net\n" + strings.SplitAfter(table, "::/0  100\n")[0],
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.File("/etc/gai.conf", tt.in))
			mend(t, remedies.GAI{}, m)
			same(t, "/etc/gai.conf", tt.want, content(m, "/etc/gai.conf"))
			again(t, remedies.GAI{}, m)
		})
	}
}
