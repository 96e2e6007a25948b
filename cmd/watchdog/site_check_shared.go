package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"watchdog/probes"
	"watchdog/rules"
)

// checkPorts wants each port of a host for one listener.
func (f *siteForm) checkPorts(d *siteDoc) {
	for _, p := range [...]struct {
		path string
		port int
	}{
		{"postgres/port", f.Postgres.Port},
		{"keycloak/port", f.Keycloak.Port},
		{"keycloak/management_port", f.Keycloak.ManagementPort},
	} {
		if d.set(p.path) && (p.port < 1 || p.port > 65535) {
			d.fail(p.path, "%s %d is not between 1 and 65535", siteLeaf(p.path), p.port)
		}
	}
	for _, h := range f.Hosts {
		f.checkHostPorts(d, h)
	}
}

// siteListener is one listener of a host; path is empty for the edge, which the
// file cannot move.
type siteListener struct {
	path string
	port int
}

func (f *siteForm) checkHostPorts(d *siteDoc, h siteEntry[siteHost]) {
	taken := map[int]siteListener{80: {port: 80}, 443: {port: 443}}
	for _, l := range f.listeners(h) {
		other, ok := taken[l.port]
		if !ok || siteLeaf(l.path) == "upstream" && siteLeaf(other.path) == "upstream" {
			taken[l.port] = l
			continue
		}
		// A value that the file gives is to blame rather than a default.
		if !d.set(l.path) && other.path != "" {
			l, other = other, l
		}
		owner := siteLabel(other.path)
		if other.path == "" {
			owner = "NGINX"
		}
		d.fail(l.path, "port %d is taken on host %s by %s", l.port, h.Key, owner)
	}
}

func (f *siteForm) listeners(h siteEntry[siteHost]) []siteListener {
	var all []siteListener
	if slices.Contains(h.Value.Roles, rules.RoleKeycloak) {
		all = append(all,
			siteListener{"postgres/port", f.Postgres.Port},
			siteListener{"keycloak/port", f.Keycloak.Port},
			siteListener{"keycloak/management_port", f.Keycloak.ManagementPort})
	}
	for i, g := range f.Gateways {
		if u, err := url.Parse(g.Upstream); err == nil && g.Host == h.Key {
			port, _ := strconv.Atoi(u.Port())
			all = append(all, siteListener{fmt.Sprintf("gateways/%d/upstream", i), port})
		}
	}
	if u, err := url.Parse("//" + f.Exporters.Listen); err == nil {
		port, _ := strconv.Atoi(u.Port())
		all = append(all, siteListener{"exporters/listen", port})
	}
	return slices.DeleteFunc(all, func(l siteListener) bool { return l.port == 0 })
}

// siteBook is the mode that the book of rules gives each code there is.
type siteBook map[probes.Code]rules.Mode

var siteModes = []string{string(rules.Auto), string(rules.Ask), string(rules.Observe)}

// checkModes lets the site be stricter than the book, never looser.
func (f *siteForm) checkModes(d *siteDoc, book siteBook) {
	mode := func(path string, m rules.Mode) bool {
		if !slices.Contains(siteModes, string(m)) {
			d.fail(path, "unknown mode %s; %s", siteQuote(string(m)), siteMeant(string(m), siteModes))
		}
		return d.clean(path)
	}
	whole := mode("mode", f.Mode)
	for _, m := range f.Modes {
		path := siteJoin("modes", m.Key)
		booked, ok := book[probes.Code(m.Key)]
		switch {
		case !ok:
			d.failKey(path, "unknown code %s; %s", siteQuote(m.Key), book.meant(m.Key))
		case !mode(path, m.Value):
		case m.Value.Tighter(booked) != m.Value:
			d.fail(path, "mode %s for %s is looser than the book's %s; a site can only be stricter", m.Value, m.Key, booked)
		case whole && m.Value.Tighter(f.Mode) != m.Value:
			d.fail(path, "mode %s for %s is looser than the whole site's %s, which holds anyway", m.Value, m.Key, f.Mode)
		}
	}
}

// meant offers the nearest code.
func (b siteBook) meant(word string) string {
	var codes []string
	for code := range b {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	if near := siteNearest(word, codes); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return "see them with: watchdog rules list"
}
