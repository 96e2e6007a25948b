package edgeconf_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/format/edgeconf"
	"watchdog/probes/format/nginxconf"
)

func parse(t *testing.T, text string) *nginxconf.Config {
	t.Helper()
	c, err := nginxconf.Parse([]byte("# configuration file /etc/nginx/nginx.conf:\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAddress(t *testing.T) {
	for arg, want := range map[string]string{
		"443": "0.0.0.0:443", "*:443": "0.0.0.0:443", "*": "0.0.0.0:80", "192.0.2.1:8080": "192.0.2.1:8080", "192.0.2.1": "192.0.2.1:80",
		"[::]:443": "[::]:443", "[::]": "[::]:80", "[2001:db8::1]:443": "[2001:db8::1]:443",
		"unix:/run/x.sock": "", "localhost:80": "", "[::]:https": "", "70000": "", "*:": "",
	} {
		at, ok := edgeconf.Address(arg)
		if ok != (want != "") || ok && at.String() != want {
			t.Errorf("%s is %s, %t; want %q", arg, at, ok, want)
		}
	}
}

func TestListens(t *testing.T) {
	c := parse(t, `http {
  server { listen [::]:80; listen unix:/run/x.sock; }
  server { listen 443 quic reuseport; listen 127.0.0.1:8080 default_server; }
  server { server_name nowhere; }
}
stream {
  server { listen [::]:443 ipv6only=on; }
  server { listen 53 udp; }
}
`)
	var got []string
	for _, l := range edgeconf.Listens(c) {
		got = append(got, l.Kind+" "+l.Addr.String()+" "+strings.TrimPrefix(l.Pos(), "/etc/nginx/nginx.conf"))
	}
	want := []string{"http [::]:80 :2", "http 127.0.0.1:8080 :3", "http 0.0.0.0:80 :4", "stream [::]:443 :7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOn(t *testing.T) {
	own := netip.MustParseAddr("2001:db8::1")
	for listen, want := range map[string]bool{
		"[::]:443 ssl": true, "[2001:db8::1]:443": true, "[2001:db8::2]:443": false, "443": false, "[::]:80": false, "unix:/x": false,
	} {
		c := parse(t, "http { server { listen "+listen+"; } }")
		if got := edgeconf.On(c.Find("http", "server")[0], own, 443); got != want {
			t.Errorf("listen %s: %t", listen, got)
		}
	}
}

func TestFronts(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string // "LINE: HEADER…" of each
	}{
		"directly":              {"server {\nlocation / { proxy_pass https://[::1]:8443; }\n}", []string{"2:"}},
		"with a path":           {"server {\nlocation / { proxy_pass https://[::1]:8443/auth/; }\n}", []string{"2:"}},
		"of the server":         {"server {\nadd_header X 1;\nlocation / { proxy_pass https://kc; }\n}", []string{"3: X"}},
		"of the location alone": {"server {\nadd_header X 1;\nlocation / { add_header Y 1;\nproxy_pass https://kc; }\n}", []string{"4: Y"}},
		"of around":             {"add_header X 1;\nserver {\nlocation / { proxy_pass https://kc; }\n}", []string{"3: X"}},
		"in an if":              {"server {\nlocation / {\nif ($a) {\nproxy_pass https://kc;\n} } }", []string{"4:"}},
		"in two":                {"server {\nlocation /a { proxy_pass https://kc; }\nlocation /b { proxy_pass https://kc; }\n}", []string{"2:", "3:"}},
		"elsewhere":             {"server {\nlocation / { proxy_pass https://[::1]:9443; }\n}", nil},
		"to one that is down":   {"server {\nlocation / { proxy_pass https://old; }\n}", nil},
		"nowhere":               {"server {\nreturn 204;\n}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, "http {"+tt.text+"\nupstream kc { server [::1]:8443; }\nupstream old { server [::1]:8443 down; }\n}")
			server := c.Find("http", "server")[0]
			var got []string
			for _, f := range edgeconf.Fronts(server, c.Find("http", "upstream"), c.Find("http", "add_header"), "[::1]:8443") {
				line := strings.TrimPrefix(f.Pos(), "/etc/nginx/nginx.conf:") + ":"
				for _, a := range f.Adds {
					line += " " + a.Args[0]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
