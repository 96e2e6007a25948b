package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"watchdog/probes/format/edgeconf"
	"watchdog/probes/format/nginxconf"
	"watchdog/probes/host"
)

// fronts returns the edits that take away the files in which somebody ends TLS in
// front of Keycloak on the public port: NGINX can't listen there for both, and
// with them in place would start with neither. A file that holds anything else is
// its owner's to change.
func (r NginxEdge) fronts(h *host.Host) ([]Edit, error) {
	var edits []Edit
	l := h.Facts.Layout
	for _, dir := range []string{l.NginxHTTP, path.Dir(l.NginxSites)} {
		names, err := h.FS.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || l.NginxSites == "" && dir != l.NginxHTTP {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the sites of nginx: %w", err)
		}
		for _, name := range names {
			file := path.Join(dir, name)
			// What nginx.conf of Debian, Arch and Alpine includes; ours is
			// written whole.
			if dir == l.NginxHTTP && !strings.HasSuffix(name, ".conf") || file == r.redirectFile(l) || file == l.NginxSites {
				continue
			}
			text, err := h.FS.ReadFile(file)
			if err != nil {
				continue // a directory, a link that leads nowhere: nginx -t tells
			}
			at, alone := r.front(file, string(text))
			switch {
			case at == "":
			case !alone:
				return nil, fmt.Errorf("free port 443 for the stream: the server at %s wants it too, in a file with others", at)
			default:
				e, err := Converge(h, file, nil)
				if err != nil {
					return nil, err
				}
				edits = append(edits, e...)
			}
		}
	}
	return edits, nil
}

// front returns where in a file a server ends TLS in front of Keycloak on the
// public port, and whether the file holds nothing but such.
func (r NginxEdge) front(file, text string) (at string, alone bool) {
	top, err := nginxconf.ParseFile(file, text)
	if err != nil {
		return "", false // nginx -t says why
	}
	alone = true
	for _, d := range top {
		switch {
		case d.Name == "upstream" || d.Name == "map" || redirectsOnly(d):
		case d.Name == "server" && edgeconf.On(d, r.Address, 443) && len(edgeconf.Fronts(d, top, nil, r.Keycloak)) > 0:
			if at == "" {
				at = d.Pos()
			}
		default:
			alone = false
		}
	}
	return at, alone
}

// redirectsOnly reports whether a server does nothing but to send people on, as
// ours on port 80 does.
func redirectsOnly(d nginxconf.Directive) bool {
	return d.Name == "server" && len(d.Find("return")) > 0 && !slices.ContainsFunc(d.Block, func(in nginxconf.Directive) bool {
		return !slices.Contains([]string{"listen", "server_name", "return", "access_log", "error_log"}, in.Name)
	})
}

// An NginxReload makes the running NGINX take its configuration, after a reload
// that it refused. It is never restarted for that: what it refuses while it runs
// would keep it from starting. The plan is never empty: it belongs to no
// installation.
type NginxReload struct{}

// Spec implements [Remedy].
func (r NginxReload) Spec() Spec {
	return Spec{ID: "service.nginx.reload", Summary: "reload nginx", Risk: Blip, Timeout: time.Minute, Services: []string{"nginx"}}
}

// Plan implements [Remedy].
func (r NginxReload) Plan(_ context.Context, h *host.Host) (Plan, error) {
	return Plan{
		Remedy:  r.Spec().ID,
		Gates:   []Gate{nginxTest},
		Effects: []Effect{Do{Verb: Reload, Unit: h.Facts.Layout.Unit("nginx"), Ready: reloaded}},
	}, nil
}

// nginxTest is the gate of every change of NGINX.
var nginxTest = Call{Command{Name: "nginx-test"}, "check the configuration with nginx -t"}
