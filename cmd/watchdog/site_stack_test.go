package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
	"watchdog/rules"
)

// fullSite is testdata/site/good-full.yaml.
func fullSite() rules.Stack {
	return rules.Stack{
		Domain: "example.org",
		Hosts: []rules.Host{
			{Name: "login", FQDN: "id.example.org", Address: netip.MustParseAddr("2001:db8:1::1"), Roles: []rules.Role{rules.RoleKeycloak}},
			{Name: "homer", FQDN: "homer.example.org", Address: netip.MustParseAddr("2001:db8:1::2"), Roles: []rules.Role{rules.RoleOllama}},
			{Name: "marge", FQDN: "marge.example.net", Address: netip.MustParseAddr("2001:db8:1::"), Roles: []rules.Role{rules.RoleGateway}},
		},
		ACME: rules.ACME{
			Server: "https://acme.example.org:14000/dir", Email: "hostmaster@example.org", Webroot: "/srv/acme", RenewBefore: 240 * time.Hour,
		},
		Postgres: rules.Postgres{Database: "idp", Role: "idp_login", Port: 5433},
		Keycloak: rules.Keycloak{
			Version: "26.8.1", URL: "https://mirror.example.org/keycloak-26.8.1.tar.gz",
			SHA256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			User:   "kc", Home: "/srv/keycloak", Dir: "/etc/kc", Port: 8444, Mgmt: 9001, Heap: "2g", AdminUser: "root@example.org",
		},
		Realm: rules.Realm{
			Name: "example", Display: "Example: & Söhne #1", AdminsGroup: "bosses",
			Roles:       []rules.RealmRole{{Name: "staff"}, {Name: "boss", Description: "yes"}},
			AccessToken: 5 * time.Minute, SessionIdle: 90 * time.Minute, SessionMax: 36 * time.Hour,
			Clients: []rules.Client{
				{
					ID: "wiki-gw", ServiceAccount: true, RootURL: "https://wiki.example.org", Redirects: []string{"https://wiki.example.org/*"},
					PostLogout: "https://www.example.org/bye", Audience: true,
				},
				{
					ID: "phone", Public: true, RootURL: "https://phone.example.org", Redirects: []string{"https://phone.example.org/cb"},
					PostLogout: "+", FullScope: true,
				},
				{ID: "job", ServiceAccount: true, RootURL: "https://job.example.org", PostLogout: "+"},
				{
					ID: "ollama-gw", ServiceAccount: true, RootURL: "https://ollama.example.org",
					Redirects: []string{"https://ollama.example.org/oauth2/callback"}, PostLogout: "https://ollama.example.org/*", Audience: true, Group: true,
				},
				{
					ID: "home", ServiceAccount: true, RootURL: "https://ha.example.org",
					Redirects: []string{"https://ha.example.org/oauth2/callback"}, PostLogout: "https://ha.example.org/*", Audience: true, Group: true,
				},
			},
		},
		Gateways: []rules.Gateway{
			{Name: "ollama", Host: "homer", FQDN: "ollama.example.org", Upstream: "http://127.0.0.1:11435", Client: "ollama-gw"},
			{Name: "wiki", Host: "marge", FQDN: "wiki.example.org", Upstream: "https://[::1]:3000", Client: "wiki-gw"},
			{Name: "ha", Host: "marge", FQDN: "ha.example.org", Upstream: "http://[::1]:8123", Client: "home"},
		},
		Firewall: rules.Firewall{
			Admin: []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48"), netip.MustParsePrefix("2001:db8:9::1/128")},
			Allow: []uint16{5222, 22},
		},
		Backups: rules.Backups{Dir: "/srv/dumps", Keep: 720 * time.Hour, MaxAge: 48 * time.Hour, At: "04:05"},
		Modes:   map[probes.Code]rules.Mode{"service.dead": rules.Observe, "postgres.database-missing": rules.Ask},
		Mode:    rules.Ask, Exporters: rules.Exporters{Listen: "[::]:9999"},
	}
}

// TestFullSite: every setting of the file arrives in its place.
func TestFullSite(t *testing.T) {
	text := string(readFile(t, "testdata/site/good-full.yaml"))
	want, got := fullSite(), mustStack(t, text)
	want.Hash = got.Hash
	if diff := cmp.Diff(want, got, stackOptions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if other := mustStack(t, text+"#"); other.Hash == got.Hash || len(got.Hash) != 64 {
		t.Errorf("hash %s does not tell the files apart", got.Hash)
	}
}
