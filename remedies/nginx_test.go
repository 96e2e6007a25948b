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

var nginxEdge = remedies.NginxEdge{FQDN: "idp.example.org", Keycloak: "[::1]:8443", Webroot: "/var/lib/acme-webroot"}

// nginxConf is Debian's, shortened.
const nginxConf = "user www-data;\ninclude /etc/nginx/modules-enabled/*.conf;\nhttp {\n\tinclude /etc/nginx/conf.d/*.conf;\n\t# include /etc/nginx/stream.conf;\n}\n"

// Both texts were tested in front of a real Keycloak, and against nginx -t of
// 1.22.
const streamConf = `stream {
  server {
    listen [::]:443 ipv6only=on;
    proxy_connect_timeout 10s;
    proxy_timeout 300s;
    proxy_pass [::1]:8443;
  }
}
`

const redirectConf = `server {
  listen [::]:80;
  server_name idp.example.org;
  location ^~ /.well-known/acme-challenge/ { root /var/lib/acme-webroot; default_type text/plain; }
  location / { return 301 https://$host$request_uri; }
}
`

func debianNginx(m *hosttest.Machine) {
	hosttest.File("/etc/nginx/nginx.conf", nginxConf)(m)
	hosttest.Dir("/etc/nginx/conf.d")(m)
	hosttest.Link("/etc/nginx/sites-enabled/default", "/etc/nginx/sites-available/default")(m)
	hosttest.Dir("/var/lib")(m)
	hosttest.Listeners(listen("nginx", "[::]:80", true), listen("nginx", "[::]:443", true))(m)
}

func listen(program, at string, v6only bool) host.Listener {
	return host.Listener{Addr: netip.MustParseAddrPort(at), V6Only: v6only, Program: program, PID: 100}
}

func uncommented(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, "#") {
			b.WriteString(l)
		}
	}
	return b.String()
}

func TestNginxFiles(t *testing.T) {
	m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Stopped))
	same(t, "done", []string{"nginx-test", "start nginx.service"}, mend(t, nginxEdge, m))
	same(t, "stream.conf", streamConf, uncommented(content(m, "/etc/nginx/stream.conf")))
	same(t, "redirect", redirectConf, uncommented(content(m, "/etc/nginx/conf.d/idp-redirect.conf")))
	same(t, "nginx.conf", nginxConf+"include /etc/nginx/stream.conf;\n", content(m, "/etc/nginx/nginx.conf"))
	same(t, "Debian's site", "(none)", content(m, "/etc/nginx/sites-enabled/default"))
	if n := m.Get("/var/lib/acme-webroot"); n == nil || !n.Mode.IsDir() || n.Mode.Perm() != 0o755 || n.Owner != "root" {
		t.Errorf("the webroot is %+v", n)
	}
	again(t, nginxEdge, m)

	for name, tt := range map[string]struct {
		damage hosttest.Option
		file   string
	}{
		"include removed":    {hosttest.File("/etc/nginx/nginx.conf", nginxConf), "/etc/nginx/nginx.conf"},
		"wrong upstream":     {hosttest.File("/etc/nginx/stream.conf", strings.ReplaceAll(streamConf, "8443", "8080")), "/etc/nginx/stream.conf"},
		"IPv4 as well":       {hosttest.File("/etc/nginx/conf.d/idp-redirect.conf", "server { listen 80; }\n"), "/etc/nginx/conf.d/idp-redirect.conf"},
		"Debian's site back": {hosttest.Link("/etc/nginx/sites-enabled/default", "../sites-available/default"), "/etc/nginx/sites-enabled/default"},
	} {
		t.Run(name, func(t *testing.T) {
			before := content(m, tt.file)
			m.Change(tt.damage)
			same(t, "done", []string{"nginx-test", "reload nginx.service"}, mend(t, nginxEdge, m))
			same(t, tt.file, before, content(m, tt.file))
		})
	}
}

// TestNginxInclude: an include that means the file, however it is written, is
// enough; one in a block or a comment is not.
func TestNginxInclude(t *testing.T) {
	for line, enough := range map[string]bool{
		"include stream.conf;":                  true,
		"include '/etc/nginx/stream.conf';":     true,
		"include /etc/nginx/str*.conf;":         true,
		"include stream.conf; # ours":           true,
		"#include stream.conf;":                 false,
		"events { include stream.conf; }":       false,
		"include /etc/nginx/streams.conf;":      false,
		"load_module /etc/nginx/stream.conf;":   false,
		"include /etc/nginx/stream.d/*.conf;\n": false,
	} {
		m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Running), hosttest.File("/etc/nginx/nginx.conf", line))
		mend(t, nginxEdge, m)
		want := strings.TrimSuffix(line, "\n") + "\ninclude /etc/nginx/stream.conf;\n"
		if enough {
			want = line
		}
		same(t, line, want, content(m, "/etc/nginx/nginx.conf"))
	}
	m := remedytest.New(debianNginx, hosttest.File("/etc/nginx/nginx.conf", "http {\n"))
	if _, err := nginxEdge.Plan(t.Context(), m.Host()); err == nil || !strings.Contains(err.Error(), "/etc/nginx/nginx.conf:2") {
		t.Errorf("a broken nginx.conf gives error %v", err)
	}
}

// TestNginxBareHost: without the package there is nothing to add a line to.
func TestNginxBareHost(t *testing.T) {
	p := plan(t, nginxEdge, remedytest.New())
	same(t, "waits", []string{"package nginx"}, p.Waits)
	if len(p.Edits) == 0 {
		t.Error("nothing is shown of what is to be written")
	}
}

// TestNginxSockets: a reload would keep a socket that takes IPv4.
func TestNginxSockets(t *testing.T) {
	m := remedytest.New(debianNginx, hosttest.Unit("nginx.service", host.Running))
	mend(t, nginxEdge, m)
	right := content(m, "/etc/nginx/stream.conf")
	dual443, dual80 := listen("nginx", "[::]:443", false), listen("nginx", "[::]:80", false)
	tests := map[string]struct {
		listeners []host.Listener
		damage    bool
		want      string
	}{
		"as configured":                         {[]host.Listener{listen("nginx", "[::]:443", true)}, false, ""},
		"an old socket of the stream":           {[]host.Listener{dual443}, false, "restart"},
		"of another program":                    {[]host.Listener{listen("caddy", "[::]:443", false)}, false, ""},
		"on 80 somebody may want it":            {[]host.Listener{dual80}, false, ""},
		"on 80 with a change":                   {[]host.Listener{dual80}, true, "restart"},
		"a change with the right sockets":       {[]host.Listener{listen("nginx", "[::]:80", true)}, true, "reload"},
		"a port of somebody else's, any change": {[]host.Listener{listen("nginx", "[::]:8080", false)}, true, "reload"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := right
			if tt.damage {
				text = "stream {}\n"
			}
			m.Change(hosttest.Listeners(tt.listeners...), hosttest.File("/etc/nginx/stream.conf", text))
			got := ""
			for _, l := range plan(t, nginxEdge, m).Lines() {
				if s, ok := strings.CutSuffix(l, " nginx.service"); ok {
					got = s
				}
			}
			same(t, "effect", tt.want, got)
		})
	}
}
