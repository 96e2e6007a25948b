package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/remedies"
)

// siteMatches makes a judge of a pattern.
func siteMatches(pattern *regexp.Regexp, problem string) func(string) string {
	return func(s string) string {
		if pattern.MatchString(s) {
			return ""
		}
		return problem
	}
}

// siteNoneOf makes a judge that refuses names that belong to somebody else.
func siteNoneOf(pattern *regexp.Regexp, problem, whose string, taken ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(taken, s) {
			return "is " + whose
		}
		return siteMatches(pattern, problem)(s)
	}
}

func (f *siteForm) checkServices(d *siteDoc) {
	d.check("acme/server", f.ACME.Server, plainURLProblem)
	d.check("acme/email", f.ACME.Email, emailProblem)
	if d.set("acme/renew_before") && f.ACME.RenewBefore > siteDuration(30*siteDay) {
		d.fail("acme/renew_before", "renew_before %s is more than 30d: certbot renews 30 days before the end, so healthy certificates would count as expiring",
			f.ACME.RenewBefore)
	}

	const sql = "is not a plain SQL name: a-z or _ first, then a-z, 0-9 and _"
	d.check("postgres/database", f.Postgres.Database, siteNoneOf(siteSQLName, sql, "PostgreSQL's own", "postgres", "template0", "template1"))
	d.check("postgres/role", f.Postgres.Role, func(s string) string {
		if strings.HasPrefix(s, "pg_") {
			return "is PostgreSQL's own"
		}
		return siteNoneOf(siteSQLName, sql, "the superuser; Keycloak gets a role of its own", "postgres")(s)
	})

	k := f.Keycloak
	d.check("keycloak/version", k.Version, siteMatches(siteVersion, "is not a version, as "+remedies.KeycloakVersion))
	d.check("keycloak/url", k.URL, plainURLProblem)
	d.check("keycloak/sha256", k.SHA256, siteMatches(siteHex, "is not a SHA-256: 64 digits of small hex"))
	if k.Version != remedies.KeycloakVersion && k.SHA256 == "" {
		d.fail("keycloak/version", "version %s is not the built-in %s; give the sha256 of its archive, nothing is run unverified",
			siteQuote(k.Version), remedies.KeycloakVersion)
	}
	d.check("keycloak/user", k.User, siteNoneOf(siteUnixName, "is not the name of a user", "somebody else's account", "root", "postgres", "nobody"))
	d.check("keycloak/heap", k.Heap, siteMatches(siteHeap, "is not a Java heap size, as 512m or 2g"))
	d.check("keycloak/admin", k.Admin, siteMatches(siteUserName, "is not a user name: letters, digits and . _ - @"))
	d.check("exporters/listen", f.Exporters.Listen, func(s string) string { return listenProblem(s, len(f.Hosts)) })
	f.checkFirewall(d)
	f.checkDirs(d)
}

// checkDirs wants each directory for itself: one is emptied, owned and moved
// without regard to another inside it.
func (f *siteForm) checkDirs(d *siteDoc) {
	dirs := [...]struct{ path, dir string }{
		{"acme/webroot", f.ACME.Webroot},
		{"keycloak/home", f.Keycloak.Home},
		{"keycloak/dir", f.Keycloak.Dir},
		{"backups/dir", f.Backups.Dir},
	}
	for i, a := range dirs {
		d.check(a.path, a.dir, dirProblem)
		for j, b := range dirs {
			if !d.set(a.path) || i == j || d.set(b.path) && i < j {
				continue // a default is not to blame, and one of two is enough
			}
			how := "lies in"
			switch {
			case a.dir == b.dir:
				how = "is also"
			case siteWithin(b.dir, a.dir):
				how = "holds"
			case !siteWithin(a.dir, b.dir):
				continue
			}
			d.fail(a.path, "%s %s %s %s, %s; each needs a directory of its own", siteLeaf(a.path), siteQuote(a.dir), how, siteLabel(b.path), b.dir)
		}
	}
}

func siteWithin(dir, parent string) bool {
	return dir != "" && parent != "" && strings.HasPrefix(dir+"/", parent+"/")
}

func (f *siteForm) checkFirewall(d *siteDoc) {
	for i, s := range f.Firewall.Admin {
		at := "firewall/admin/" + strconv.Itoa(i)
		d.check(at, s, func(s string) string { _, p := siteNetwork(s); return p })
		if slices.Contains(f.Firewall.Admin[:i], s) {
			d.fail(at, "admin %s stands here twice", siteQuote(s))
		}
	}
	for i, p := range f.Firewall.Allow {
		at := "firewall/allow/" + strconv.Itoa(i)
		switch {
		case p < 1 || p > 65535:
			d.fail(at, "port %d is not between 1 and 65535", p)
		case p == 80 || p == 443:
			d.fail(at, "port %d is open on every host anyway; leave it out", p)
		case slices.Contains(f.Firewall.Allow[:i], p):
			d.fail(at, "port %d stands here twice", p)
		}
	}
}

// checkBackups knows that a dump is made once a day.
func (f *siteForm) checkBackups(d *siteDoc) {
	b := f.Backups
	d.check("backups/at", b.At, siteMatches(siteClock, "is not a time of day, as 02:30"))
	if d.set("backups/max_age") && b.MaxAge > 0 && b.MaxAge <= siteDuration(24*time.Hour) {
		d.fail("backups/max_age", "max_age %s leaves no room: a dump is made once a day, so a good one gets 24h old", b.MaxAge)
	}
	if b.Keep > 0 && b.Keep < b.MaxAge {
		at := "backups/keep"
		if !d.set(at) {
			at = "backups/max_age"
		}
		d.fail(at, "keep %s is less than max_age %s: a dump would be deleted while it counts as fresh", b.Keep, b.MaxAge)
	}
}
