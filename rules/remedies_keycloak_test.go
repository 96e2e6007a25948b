package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/remedies"
)

func identityStack() Stack {
	idp := Host{Name: "idp", FQDN: "idp.example.org", Address: netip.MustParseAddr("2001:db8::1"), Roles: []Role{RoleKeycloak}}
	return Stack{
		Hosts: []Host{idp}, Self: idp,
		ACME:     ACME{Webroot: "/var/lib/acme"},
		Postgres: Postgres{Database: "keycloak", Role: "keycloak", Port: 5432},
		Keycloak: Keycloak{Version: remedies.KeycloakVersion, SHA256: remedies.KeycloakSHA256, User: "keycloak", Home: "/opt/keycloak", Dir: "/etc/keycloak", Port: 8443, Mgmt: 9000, Heap: "512m", AdminUser: "director"},
		Realm: Realm{
			Name: "breath", Roles: []RealmRole{{Name: "admin"}}, AdminsGroup: "admins",
			Clients: []Client{{ID: "ollama-gw", Redirects: []string{"https://ollama.example.org/oauth2/callback"}, Audience: true, Group: true}},
		},
		Backups: Backups{Dir: "/var/backups/watchdog"},
	}
}

// TestKeycloakRemedies: they are in the order of installation.
func TestKeycloakRemedies(t *testing.T) {
	var ids []string
	for _, r := range keycloakRemedies(identityStack()) {
		ids = append(ids, r.Spec().ID)
	}
	want := []string{
		"secrets", "certs.lineage", "keycloak.user", "keycloak.dist", "certs.copy", "certs.hook",
		"keycloak.conf", "keycloak.env", "keycloak.admin", "realm", "backup", "self",
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestKeycloakServer: what the site says reaches the remedies, and the engine's
// account is the one that probes use.
func TestKeycloakServer(t *testing.T) {
	s := identityStack()
	k := s.keycloakServer()
	if k.Public != "https://idp.example.org" || k.Mgmt != 9000 || k.DatabasePort != 5432 || k.Password != SecretDatabase {
		t.Errorf("server is %+v", k)
	}
	site := s.realmSite()
	if site.Account != AdminClient || len(site.Clients) != 1 || !site.Clients[0].Audience || !site.Clients[0].Groups {
		t.Errorf("realm is %+v", site)
	}
	if hook := s.renewalHook().Text(); !strings.Contains(hook, "\nlineage=/etc/letsencrypt/live/idp.example.org\ncerts=/etc/keycloak/certs\n") {
		t.Errorf("hook:\n%s", hook)
	}
}
