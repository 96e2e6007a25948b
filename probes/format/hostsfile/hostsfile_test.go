package hostsfile

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var public = netip.MustParseAddr("2a02:8012:bc57:cafe::babe")

const fqdn, short = "idp.example.org", "idp"

// debian is /etc/hosts as the installer leaves it, with one line of the site's.
const debian = `127.0.0.1	localhost
127.0.1.1	debian   # by the installer

# The following lines are desirable for IPv6 capable hosts
::1     localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
2a02:8012:bc57:cafe::babe	idp.example.org idp
`

func TestLookup(t *testing.T) {
	tests := map[string]struct {
		name string
		want []string
	}{
		"one line":         {fqdn, []string{"7 2a02:8012:bc57:cafe::babe"}},
		"two families":     {"localhost", []string{"1 127.0.0.1", "5 ::1"}},
		"case":             {"IDP.Example.ORG", []string{"7 2a02:8012:bc57:cafe::babe"}},
		"in a comment":     {"installer", nil},
		"part of a name":   {"example.org", nil},
		"the address":      {"ff02::1", nil},
		"before comment":   {"debian", []string{"2 127.0.1.1"}},
		"a resolver skips": {"ghost", nil},
	}
	f := Parse([]byte(debian + "999.1.1.1 ghost\nghost\n"))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, brief(f.Lookup(tt.name))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func brief(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, strings.Join([]string{string(rune('0' + e.Line)), e.Addr.String()}, " "))
	}
	return out
}

func TestSet(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"nothing there": {"", "2a02:8012:bc57:cafe::babe idp.example.org idp\n"},
		"already right": {debian, debian},
		"wrong address gets the right one in its place, spacing and comment kept": {
			"# mine\n  172.17.0.1\tidp.example.org  idp # docker\n::1 localhost\n",
			"# mine\n  2a02:8012:bc57:cafe::babe\tidp.example.org  idp # docker\n::1 localhost\n",
		},
		"a line more, besides the right one, goes": {
			"127.0.1.1 idp.example.org idp\n" + debian, debian,
		},
		"its comment stays": {
			"127.0.1.1 idp.example.org # from the image\n" + debian, "# from the image\n" + debian,
		},
		"foreign names on a wrong line stay": {
			"127.0.1.1 idp.example.org build\tIDP  cache # box\n",
			"127.0.1.1 build  cache # box\n2a02:8012:bc57:cafe::babe idp.example.org idp\n",
		},
		"a missing name joins its line": {
			"2a02:8012:bc57:cafe::babe idp.example.org # public\n",
			"2a02:8012:bc57:cafe::babe idp.example.org idp # public\n",
		},
		"a foreign line of the same address is left alone": {
			"2a02:8012:bc57:cafe::babe other.example.org\n",
			"2a02:8012:bc57:cafe::babe other.example.org\n2a02:8012:bc57:cafe::babe idp.example.org idp\n",
		},
		"link-local with a zone": {
			"fe80::1%eth0 idp.example.org idp\n", "2a02:8012:bc57:cafe::babe idp.example.org idp\n",
		},
		"no newline at the end": {
			"::1 localhost", "::1 localhost\n2a02:8012:bc57:cafe::babe idp.example.org idp\n",
		},
		"carriage returns": {
			"::1 localhost\r\n127.0.1.1 idp.example.org idp\r\n",
			"::1 localhost\r\n2a02:8012:bc57:cafe::babe idp.example.org idp\r\n",
		},
		"several wrong lines": {
			"127.0.1.1 idp.example.org\nfe80::1 idp.example.org idp\n172.17.0.1 idp\n",
			"2a02:8012:bc57:cafe::babe idp.example.org idp\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := Parse([]byte(tt.in))
			got := in.Set(public, fqdn, short)
			if diff := cmp.Diff(tt.want, string(got.Bytes())); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.in, string(in.Bytes())); diff != "" {
				t.Errorf("Set changed the file it was called on:\n%s", diff)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(debian), "::1", fqdn)
	f.Add([]byte("127.0.1.1 idp.example.org build#x"), "2a02::1", "build")
	f.Add([]byte("\v1.2.3.4 a\u00a0b\r\n\n#\n1.2.3.4\n"), "1.2.3.4", "a")
	f.Fuzz(func(t *testing.T, data []byte, address, name string) {
		file := Parse(data)
		if string(file.Bytes()) != string(data) {
			t.Fatalf("read and written again: %q became %q", data, file.Bytes())
		}
		addr, err := netip.ParseAddr(address)
		if err != nil || addr.Zone() != "" || name == "" || strings.ContainsAny(name, " \t\n\v\f\r#") {
			return
		}
		set := file.Set(addr, name, short)
		again := Parse(set.Bytes())
		for _, n := range []string{name, short} {
			entries := again.Lookup(n)
			if len(entries) == 0 {
				t.Fatalf("%q is not mapped after Set: %q", n, set.Bytes())
			}
			for _, e := range entries {
				if e.Addr != addr {
					t.Fatalf("line %d still maps %q to %s: %q", e.Line, n, e.Addr, set.Bytes())
				}
			}
		}
		if twice := again.Set(addr, name, short); string(twice.Bytes()) != string(set.Bytes()) {
			t.Fatalf("setting twice: %q, then %q", set.Bytes(), twice.Bytes())
		}
		for _, e := range file.Entries() {
			for _, n := range e.Names {
				if contains([]string{name, short}, n) {
					continue
				}
				if len(again.Lookup(n)) != len(file.Lookup(n)) {
					t.Fatalf("mapping of %q changed: %q became %q", n, data, set.Bytes())
				}
			}
		}
	})
}
