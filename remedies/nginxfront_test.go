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

// TestNginxFronts: what ends TLS in front of Keycloak goes, if its file holds
// nothing else.
func TestNginxFronts(t *testing.T) {
	const (
		front = "server {\n\tlisten [::]:443 ssl;\n\tlocation / { proxy_pass https://[::1]:8443; }\n}\n"
		plain = "server { listen [::]:80; server_name idp.example.org; return 301 https://$host$request_uri; }\n"
	)
	r := nginxEdge
	r.Address = netip.MustParseAddr("2001:db8::1")
	for name, tt := range map[string]struct {
		text string
		goes bool
		err  string
	}{
		"alone":                  {front, true, ""},
		"at the public address":  {strings.Replace(front, "[::]:443", "[2001:db8::1]:443", 1), true, ""},
		"with a redirect":        {plain + front, true, ""},
		"by a group":             {"upstream kc { server [::1]:8443; }\n" + strings.Replace(front, "[::1]:8443", "kc", 1), true, ""},
		"with a site of its own": {"server { listen [::]:80; root /srv; }\n" + front, false, "the server at /etc/nginx/conf.d/kc.conf:2 wants it too"},
		"of another application": {strings.Replace(front, "8443", "3000", 1), false, ""},
		"on another port":        {strings.Replace(front, ":443", ":8080", 1), false, ""},
		"a redirect alone":       {plain, false, ""},
		"not to be read":         {"server {", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			const file = "/etc/nginx/conf.d/kc.conf"
			m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Running))
			mend(t, r, m)
			again(t, r, m)
			m.Change(hosttest.File(file, tt.text), hosttest.File("/etc/nginx/conf.d/kc.conf.off", front), hosttest.Dir("/etc/nginx/conf.d/more.conf"))
			if err := m.Service(t.Context(), "nginx.service", remedies.Reload); err != nil {
				t.Fatal(err)
			}
			p, err := r.Plan(t.Context(), m.Host())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("planned %q, error %v", p.Lines(), err)
				}
				return
			}
			if !tt.goes {
				again(t, r, m)
				return
			}
			remedytest.Suite(t, r, m)
			same(t, "done", []string{"nginx-test", "reload nginx.service"}, mend(t, r, m))
			same(t, file, "(none)", content(m, file))
			again(t, r, m)
		})
	}
}

func TestNginxFrontsOfEnabledSites(t *testing.T) {
	m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Running))
	mend(t, nginxEdge, m)
	const site = "/etc/nginx/sites-available/kc"
	m.Change(hosttest.File(site, "server { listen [::]:443 ssl; location / { proxy_pass https://[::1]:8443; } }\n"), hosttest.Link("/etc/nginx/sites-enabled/kc", "../sites-available/kc"))
	mend(t, nginxEdge, m)
	if m.Get("/etc/nginx/sites-enabled/kc") != nil || m.Get(site) == nil {
		t.Error("the link is to go, and the site to stay")
	}
}

func TestNginxReload(t *testing.T) {
	m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Running))
	same(t, "done", []string{"nginx-test", "reload nginx.service"}, mend(t, remedies.NginxReload{}, m))
	m.Handle("nginx-test", func(remedies.Command) ([]byte, error) { return nil, errNo })
	if did, err := tryMend(t, remedies.NginxReload{}, m); err == nil || len(did) > 1 {
		t.Errorf("a configuration that is refused: did %q, error %v", did, err)
	}
}
