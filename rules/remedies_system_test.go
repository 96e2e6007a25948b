package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// twoHosts is the smallest site of the guide, seen from one of its hosts.
func twoHosts(self string) Stack {
	s := Stack{
		Hosts: []Host{
			{Name: "idp", FQDN: "idp.example.org", Address: netip.MustParseAddr("2001:db8::1"), Roles: []Role{RoleKeycloak}},
			{Name: "homer", FQDN: "homer.example.org", Address: netip.MustParseAddr("2001:db8::2"), Roles: []Role{RoleOllama, RoleGateway}},
		},
		Gateways: []Gateway{{Name: "ollama", Host: "homer", FQDN: "ollama.example.org"}},
		Postgres: Postgres{Database: "keycloak", Role: "keycloak", Port: 5432},
		Keycloak: Keycloak{Port: 8443, Mgmt: 9000},
		Firewall: Firewall{Allow: []uint16{9100}},
		Backups:  Backups{Dir: "/var/backups/watchdog"},
	}
	for _, h := range s.Hosts {
		if h.Name == self {
			s.Self = h
		}
	}
	return s
}

func ids(all []remedies.Remedy) []string {
	var out []string
	for _, r := range all {
		out = append(out, r.Spec().ID)
	}
	return out
}

func TestSystemRemedies(t *testing.T) {
	system := []string{
		"system.hostname", "system.hosts", "system.gai", "system.sysctl", "system.address",
		"packages", "firewall", "service.watchdog-firewall",
	}
	tests := map[string][]string{
		"idp": append(append([]string{}, system...), "nginx.conf", "service.nginx", "service.certbot-timer",
			"postgresql.conf", "postgres.hba", "service.postgresql", "postgres.role", "postgres.database",
			"service.keycloak", "service.watchdog-backup-timer"),
		"homer": append(append([]string{}, system...), "service.nginx", "service.certbot-timer"),
	}
	for self, want := range tests {
		if diff := cmp.Diff(want, ids(systemRemedies(twoHosts(self)))); diff != "" {
			t.Errorf("%s:\n%s", self, diff)
		}
	}
	want := []string{"service.watchdog-firewall.restart", "service.nginx.restart", "service.certbot-timer.restart",
		"service.postgresql.restart", "service.keycloak.restart", "service.watchdog-backup-timer.restart"}
	if diff := cmp.Diff(want, ids(restartRemedies(twoHosts("idp")))); diff != "" {
		t.Error(diff)
	}
}

// TestKeycloakIsReadyWhereItsVersionSays: both rungs ask the interface that the
// installed version has, which for old ones is the public one.
func TestKeycloakIsReadyWhereItsVersionSays(t *testing.T) {
	s := twoHosts("idp")
	s.Keycloak.Home = "/opt/keycloak"
	asks := func(version string, r remedies.Remedy) string {
		err := error(nil)
		h := hosttest.New(hosttest.File("/opt/keycloak/version.txt", "Keycloak - Version "+version))
		switch r := r.(type) {
		case remedies.Service:
			err = r.Ready(t.Context(), h)
		case remedies.ServiceRestart:
			err = r.Ready(t.Context(), h)
		}
		if err == nil {
			return "nothing"
		}
		return err.Error()
	}
	found := 0
	for _, r := range append(systemRemedies(s), restartRemedies(s)...) {
		if id := r.Spec().ID; id != "service.keycloak" && id != "service.keycloak.restart" {
			continue
		}
		found++
		for version, want := range map[string]string{"24.0.5": "[::1]:8443", "26.7.0": "[::1]:9000"} {
			if got := asks(version, r); !strings.Contains(got, want) {
				t.Errorf("%s of version %s: %s; want it to ask %s", r.Spec().ID, version, got, want)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d rungs, want 2", found)
	}
}

func TestSystemRemediesOfTheSite(t *testing.T) {
	public := []string{"homer.example.org", "idp.example.org", "ollama.example.org"}
	want := map[string][]any{
		"idp": {
			remedies.Hostname{Name: "idp", Public: public},
			remedies.Hosts{
				Lines: []remedies.HostsLine{{Addr: netip.MustParseAddr("2001:db8::1"), Names: []string{"idp.example.org", "idp"}}},
				Others: []remedies.HostsLine{
					{Addr: netip.MustParseAddr("2001:db8::2"), Names: []string{"homer.example.org"}},
					{Addr: netip.MustParseAddr("2001:db8::2"), Names: []string{"ollama.example.org"}},
				},
			},
			remedies.PackageSet{Uses: []string{"postgresql", "nginx", "certbot", "nftables", "java"}},
			remedies.Firewall{Public: []uint16{80, 443, 9100}},
			remedies.NginxEdge{FQDN: "idp.example.org", Address: netip.MustParseAddr("2001:db8::1"), Keycloak: "[::1]:8443"},
			remedies.PostgresRole{Role: "keycloak", Secret: SecretDatabase, Database: "keycloak"},
			remedies.PostgresDatabase{Database: "keycloak", Owner: "keycloak", Backups: "/var/backups/watchdog"},
		},
		"homer": {
			remedies.Hostname{Name: "homer", Public: public},
			remedies.Hosts{Lines: []remedies.HostsLine{{
				Addr: netip.MustParseAddr("2001:db8::2"), Names: []string{"homer.example.org", "ollama.example.org", "homer"},
			}}, Others: []remedies.HostsLine{{Addr: netip.MustParseAddr("2001:db8::1"), Names: []string{"idp.example.org"}}}},
			remedies.PackageSet{Uses: []string{"nginx", "certbot", "nftables"}},
		},
	}
	for self, wanted := range want {
		by := map[string]remedies.Remedy{}
		for _, r := range systemRemedies(twoHosts(self)) {
			by[r.Spec().ID] = r
		}
		for _, w := range wanted {
			id := w.(remedies.Remedy).Spec().ID
			if diff := cmp.Diff(w, any(by[id]), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("%s: %s:\n%s", self, id, diff)
			}
		}
	}
}
