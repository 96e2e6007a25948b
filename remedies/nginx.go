package remedies

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"time"

	"watchdog/probes/format/nginxconf"
	"watchdog/probes/host"
)

// An NginxEdge is NGINX in front of Keycloak: a TCP stream from port 443 to
// Keycloak's own TLS, and on port 80 a redirect that also serves what the
// certificate authority asks for. IPv6 only.
type NginxEdge struct {
	FQDN     string
	Keycloak string // "[::1]:8443"
	Webroot  string // of the http-01 challenge
	// Address is the host's public one; a server that listens there has its
	// port.
	Address netip.Addr
}

// Spec implements [Remedy].
func (r NginxEdge) Spec() Spec {
	return Spec{
		ID: "nginx.conf", Summary: "write the configuration of nginx",
		Risk: Blip, Timeout: time.Minute, Services: []string{"nginx"},
	}
}

func (r NginxEdge) stream() string {
	return `# By watchdog. TLS passes through: it ends at Keycloak.
stream {
  server {
    listen [::]:443 ipv6only=on;
    proxy_connect_timeout 10s;
    proxy_timeout 300s;
    proxy_pass ` + r.Keycloak + `;
  }
}
`
}

// redirect has no ipv6only: it is on by default, and a second server with the
// option would be a duplicate.
func (r NginxEdge) redirect() string {
	return `# By watchdog.
server {
  listen [::]:80;
  server_name ` + r.FQDN + `;
  location ^~ /.well-known/acme-challenge/ { root ` + r.Webroot + `; default_type text/plain; }
  location / { return 301 https://$host$request_uri; }
}
`
}

func (r NginxEdge) redirectFile(l host.Layout) string { return l.NginxHTTP + "/idp-redirect.conf" }

// Plan implements [Remedy].
func (r NginxEdge) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	l := h.Facts.Layout
	own := []struct {
		path string
		want *host.Node
	}{
		{r.Webroot, Directory("root", "root", 0o755)},
		{path.Dir(l.NginxConf) + "/stream.conf", File([]byte(r.stream()), "root", "root", 0o644)},
		{r.redirectFile(l), File([]byte(r.redirect()), "root", "root", 0o644)},
	}
	if l.NginxSites != "" {
		own = append(own, struct {
			path string
			want *host.Node
		}{l.NginxSites, nil})
	}
	for _, f := range own {
		edits, err := Converge(h, f.path, f.want)
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, edits...)
	}
	edits, err := r.fronts(h)
	if err != nil {
		return Plan{}, err
	}
	p.Edits = append(p.Edits, edits...)
	edits, waits, err := include(h, l.NginxConf, path.Dir(l.NginxConf)+"/stream.conf")
	if err != nil {
		return Plan{}, err
	}
	p.Edits, p.Waits = append(p.Edits, edits...), waits
	effect, err := r.follow(ctx, h, len(p.Edits) > 0)
	if err != nil || effect == nil {
		return p, err
	}
	p.Gates = []Gate{nginxTest}
	p.Effects = []Effect{effect}
	return p, nil
}

// include returns the edit that makes the main file include name, in a last line
// of its own at the top level: inside a block no stream is allowed.
func include(h *host.Host, conf, name string) (edits []Edit, waits []string, err error) {
	t, err := readText(h, conf)
	if err != nil {
		return nil, nil, err
	}
	if t.old == nil {
		return nil, []string{"package nginx"}, nil
	}
	top, err := nginxconf.ParseFile(conf, string(t.data))
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(top, func(d nginxconf.Directive) bool { return includes(d, name, path.Dir(conf)) }) {
		return nil, nil, nil
	}
	t.data = append(endLine(t.data), "include "+name+";\n"...)
	return t.edits(), nil, nil
}

// includes reports whether d includes the file name; dir is where relative
// names begin.
func includes(d nginxconf.Directive, name, dir string) bool {
	if d.Name != "include" || len(d.Args) != 1 {
		return false
	}
	pattern := d.Args[0]
	if !path.IsAbs(pattern) {
		pattern = path.Join(dir, pattern)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// reloaded waits for NGINX to listen where the edge is: its manager calls a
// reload done when the signal is sent.
func reloaded(ctx context.Context, h *host.Host) error {
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return fmt.Errorf("look at the listeners of nginx: %w", err)
	}
	for _, port := range []uint16{80, 443} {
		if !slices.ContainsFunc(listeners, func(l host.Listener) bool { return l.Addr == netip.AddrPortFrom(netip.IPv6Unspecified(), port) }) {
			return fmt.Errorf("nginx does not listen on [::]:%d yet", port)
		}
	}
	return nil
}

// follow returns the effect that makes the running NGINX follow its files:
// nothing when they are as they were and it has followed them.
func (r NginxEdge) follow(ctx context.Context, h *host.Host, changed bool) (Effect, error) {
	unit := h.Facts.Layout.Unit("nginx")
	u, err := h.Init.Unit(ctx, unit)
	if err != nil {
		return nil, err
	}
	if u.State != host.Running {
		if !changed {
			return nil, nil // its service's remedy starts it
		}
		return Do{Verb: Start, Unit: unit, Ready: reloaded}, nil
	}
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the listeners of nginx: %w", err)
	}
	// A reload keeps the sockets it has: one that takes IPv4 would go on doing
	// so under a configuration that says it does not. On port 80 somebody else's
	// server may want that, and a restart without a change would not end it.
	both := slices.ContainsFunc(listeners, func(l host.Listener) bool {
		return l.Program == "nginx" && !l.V6Only && l.Addr.Addr() == netip.IPv6Unspecified() &&
			(l.Addr.Port() == 443 || l.Addr.Port() == 80 && changed)
	})
	switch {
	case both:
		return Do{Verb: Restart, Unit: unit, Ready: reloaded}, nil
	case changed:
		return Do{Verb: Reload, Unit: unit, Ready: reloaded}, nil
	}
	return nil, nil
}
