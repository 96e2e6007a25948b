package nginx

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const (
	head = "# configuration file /etc/nginx/nginx.conf:\nuser www-data;\nevents { }\nhttp {\n  include /etc/nginx/conf.d/*.conf;\n}\ninclude /etc/nginx/stream.conf;\n"
	edge = `# configuration file /etc/nginx/stream.conf:
stream {
  server {
    listen [::]:443 ipv6only=on;
    proxy_connect_timeout 10s;
    proxy_timeout 300s;
    proxy_pass [::1]:8443;
  }
}
`
	plain = `# configuration file /etc/nginx/conf.d/idp-redirect.conf:
server {
  listen [::]:80;
  server_name idp.example.org;
  location ^~ /.well-known/acme-challenge/ { root /var/lib/acme-webroot; default_type text/plain; }
  location / { return 301 https://$host$request_uri; }
}
`
)

func TestConfig(t *testing.T) {
	dump := func(s ...string) []hosttest.Option {
		return []hosttest.Option{hosttest.Output("nginx -T", strings.Join(s, ""))}
	}
	swap := func(old, new string) []hosttest.Option {
		all := head + edge + plain
		changed := strings.Replace(all, old, new, 1)
		if changed == all {
			t.Fatalf("nothing says %s", old)
		}
		return dump(changed)
	}
	refuses := func(status int, stderr string) []hosttest.Option {
		return []hosttest.Option{hosttest.Run("nginx -T", func(...string) ([]byte, error) {
			return nil, &host.CommandError{Command: "nginx -T", Status: status, Stderr: stderr, Err: errors.New("exit status 1")}
		})}
	}
	ends := func(adds string) string {
		return "# configuration file /etc/nginx/conf.d/kc.conf:\nserver {\n listen [::]:443 ssl;\n " + adds + "\n location / { proxy_pass https://[::1]:8443; }\n}\n"
	}
	const own = `add_header Content-Security-Policy "frame-ancestors 'none'";`
	const conflict = "edge.csp-conflict /etc/nginx/conf.d/kc.conf:1"
	const failed = "\nnginx: configuration file /etc/nginx/nginx.conf test failed"
	probetest.Suite{
		Probe: Config{
			Address: netip.MustParseAddr("2001:db8::1"), Upstream: "[::1]:8443", Webroot: "/var/lib/acme-webroot",
			Files: []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d"},
		},
		Cases: map[string]probetest.Case{
			"well":                  {Host: dump(head, edge, plain)},
			"own address":           {Host: swap("listen [::]:443 ipv6only=on", "listen [2001:db8::1]:443")},
			"named upstream":        {Host: swap("proxy_pass [::1]:8443;\n  }", "proxy_pass kc;\n  }\n  upstream kc { server [::1]:8443 max_fails=0; server [::1]:9443 down; }")},
			"other upstream":        {Host: swap("proxy_pass [::1]:8443", "proxy_pass 127.0.0.1:8443"), Want: []string{"edge.wrong-upstream /etc/nginx/stream.conf:6"}, Says: []string{"127.0.0.1:8443"}},
			"other in the group":    {Host: swap("proxy_pass [::1]:8443;\n  }", "proxy_pass kc;\n  }\n  upstream kc { server [::1]:8080; }"), Want: []string{"edge.wrong-upstream /etc/nginx/stream.conf:6"}, Says: []string{"proxy_pass kc → [::1]:8080"}},
			"plain listener":        {Host: append(swap("proxy_pass [::1]:8443", "proxy_pass [::1]:9000"), hosttest.Serve("[::1]:9000", hosttest.Say("HTTP/1.1 400 Bad Request\r\n\r\n"))), Want: []string{"tls.plain-http nginx"}, Says: []string{"/etc/nginx/stream.conf:6", "[::1]:9000, which speaks no TLS"}},
			"plain, over IPv4":      {Host: append(swap("proxy_pass [::1]:8443", "proxy_pass 127.0.0.1:80"), hosttest.Serve("127.0.0.1:80", hosttest.Say("HTTP/1.1 400 Bad Request\r\n\r\n"))), Want: []string{"tls.plain-http nginx"}},
			"a silent listener":     {Host: append(swap("proxy_pass [::1]:8443", "proxy_pass [::1]:9000"), hosttest.Serve("[::1]:9000", hosttest.Hang)), Deadline: 600 * time.Millisecond, Want: []string{"edge.wrong-upstream /etc/nginx/stream.conf:6"}},
			"one that closes":       {Host: append(swap("proxy_pass [::1]:8443", "proxy_pass [::1]:9000"), hosttest.Serve("[::1]:9000", hosttest.Close)), Want: []string{"edge.wrong-upstream /etc/nginx/stream.conf:6"}},
			"no upstream":           {Host: swap("proxy_pass [::1]:8443;", ""), Want: []string{"edge.wrong-upstream /etc/nginx/stream.conf:2"}},
			"no include":            {Host: swap("include /etc/nginx/stream.conf;", ""), Want: []string{"edge.stream-missing /etc/nginx/nginx.conf"}},
			"on IPv4 only":          {Host: swap("listen [::]:443 ipv6only=on", "listen 443"), Want: []string{"edge.stream-missing /etc/nginx/nginx.conf"}},
			"TLS ended here":        {Host: dump(head, plain, "# configuration file /etc/nginx/conf.d/tls.conf:\nserver {\n listen [::]:443 ssl;\n}\n"), Want: []string{"edge.stream-missing /etc/nginx/nginx.conf"}, Says: []string{"/etc/nginx/conf.d/tls.conf:1"}},
			"TLS ended, own policy": {Host: dump(head, plain, ends(own)), Want: []string{conflict}, Says: []string{"/etc/nginx/conf.d/kc.conf:3", "frame-ancestors 'none'"}},
			"another header":        {Host: dump(head, plain, ends("add_header X-Frame-Options DENY;")), Want: []string{"edge.stream-missing /etc/nginx/nginx.conf"}},
			"policy of somebody else's": {
				Host: dump(head, edge, plain, "# configuration file /etc/nginx/conf.d/kc.conf:\nserver {\n listen [::]:8443 ssl;\n "+own+"\n location / { proxy_pass https://[::1]:8443; }\n}\n"),
			},
			"both want the port":             {Host: dump(head, edge, plain, ends("")), Want: []string{"nginx.config-invalid /etc/nginx/conf.d/kc.conf:1"}, Says: []string{"two servers want port 443", "/etc/nginx/stream.conf:2"}},
			"both, with a policy of its own": {Host: dump(head, edge, plain, ends(own)), Want: []string{conflict}},
			"stale, in part":                 {Host: append(dump(head, edge, plain), stale()...), Want: []string{"nginx.running-config-stale"}},
			"no redirect":                    {Host: dump(head, edge), Want: []string{"edge.redirect-missing /etc/nginx/nginx.conf"}},
			"no challenge":                   {Host: swap("^~ /.well-known/acme-challenge/", "^~ /x/"), Want: []string{"edge.redirect-missing /etc/nginx/conf.d/idp-redirect.conf:1"}, Says: []string{"no location /.well-known/acme-challenge/"}},
			"other webroot":                  {Host: swap("root /var/lib/acme-webroot", "root /var/www"), Want: []string{"edge.redirect-missing /etc/nginx/conf.d/idp-redirect.conf:1"}},
			"webroot with slash":             {Host: swap("root /var/lib/acme-webroot", "root /var/lib/acme-webroot/")},
			"no return":                      {Host: swap("return 301 https", "return 301 http"), Want: []string{"edge.redirect-missing /etc/nginx/conf.d/idp-redirect.conf:1"}, Says: []string{"no return of 301 or 308"}},
			"a second site":                  {Host: dump(head, edge, plain, "# configuration file /etc/nginx/conf.d/zz.conf:\nserver { listen [::]:80; server_name x; }\n")},
			"port left out":                  {Host: swap("listen [::]:80", "listen [::]")},
			"nothing of ours":                {Host: dump(head), Want: []string{"edge.stream-missing /etc/nginx/nginx.conf", "edge.redirect-missing /etc/nginx/nginx.conf"}},
			"unknown directive":              {Host: refuses(1, `nginx: [emerg] unknown directive "stream" in /etc/nginx/stream.conf:1`+failed), Want: []string{"nginx.config-invalid /etc/nginx/stream.conf:1"}, Says: []string{`unknown directive \"stream\"`}},
			"duplicate options":              {Host: refuses(1, `nginx: [emerg] duplicate listen options for [::]:80 in /etc/nginx/conf.d/b.conf:2`+failed), Want: []string{"nginx.config-invalid /etc/nginx/conf.d/b.conf:2"}},
			"included file gone":             {Host: refuses(1, `nginx: [emerg] open() "/etc/nginx/x.conf" failed (2: No such file or directory) in /etc/nginx/nginx.conf:9`+failed), Want: []string{"nginx.config-invalid /etc/nginx/nginx.conf:9"}},
			"no place":                       {Host: refuses(1, `nginx: [emerg] no "events" section in configuration`+failed), Want: []string{"nginx.config-invalid /etc/nginx/nginx.conf"}},
			"warnings first":                 {Host: refuses(1, "nginx: [warn] conflicting server name\nnginx: [emerg] unexpected end of file, expecting \"}\" in /etc/nginx/nginx.conf:3"+failed), Want: []string{"nginx.config-invalid /etc/nginx/nginx.conf:3"}},
			"not root":                       {Host: refuses(1, `nginx: [emerg] open() "/etc/nginx/nginx.conf" failed (13: Permission denied)`+failed), Err: "Permission denied"},
			"killed":                         {Host: refuses(-1, ""), Err: "exit status 1"},
			"no words":                       {Host: refuses(1, "Segmentation fault"), Err: "Segmentation fault"},
			"what we can't parse":            {Host: dump(head, edge, plain, "# configuration file /etc/nginx/conf.d/x.conf:\nserver {\n"), Err: "/etc/nginx/conf.d/x.conf"},
		},
	}.Run(t)
}

func TestConfigWakes(t *testing.T) {
	s := Config{Files: []string{"/etc/nginx/nginx.conf"}}.Spec()
	if !slices.Contains(s.Wakes, probes.Wake{Kind: probes.WakeFile, Name: "/etc/nginx/nginx.conf"}) {
		t.Errorf("wakes are %v", s.Wakes)
	}
}
