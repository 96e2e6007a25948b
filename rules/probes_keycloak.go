package rules

import (
	"net/netip"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/probes/postgres"
)

// realmAdmin is the client whose roles the engine's service account has, and so
// an audience of its token: without it the realm can't be healed.
const realmAdmin = "realm-management"

// keycloakProbes look at the identity provider from the database to the public
// port.
func keycloakProbes(s Stack) []probes.Probe {
	port, role, database := s.Postgres.Port, s.Postgres.Role, s.Postgres.Database
	list := []probes.Probe{
		postgres.Server{Port: port, Service: "postgresql"},
		postgres.Auth{Port: port, Role: role, Database: database, Superuser: "postgres"},
		postgres.Catalogue{Role: role, Database: database, Secret: SecretDatabase, Backups: s.Backups.Dir},
		postgres.Major{},
	}
	for _, path := range postgres.Paths {
		list = append(list, postgres.Login{Path: path, Port: port, Role: role, Database: database, Secret: SecretDatabase})
	}
	edge := netip.AddrPortFrom(s.Self.Address, 443).String()
	return append(list,
		keycloak.Ready{Address: s.MgmtAddr(), Service: "keycloak"},
		keycloak.Start{Service: "keycloak", Secrets: []string{SecretDatabase, SecretAdmin, SecretService}},
		keycloak.Environment{Service: "keycloak", Conf: s.Keycloak.Conf()},
		keycloak.SchemaLock{Database: database},
		s.issuer(keycloak.Public, edge), s.issuer(keycloak.Local, s.KeycloakAddr()),
		keycloak.Token{
			Address: s.KeycloakAddr(), URL: s.PublicURL(), Realm: s.Realm.Name, Client: AdminClient,
			Secret: SecretService, Audience: realmAdmin, Database: database, Backups: s.Backups.Dir,
		},
		keycloak.Admins{Service: "keycloak", Database: database},
		keycloak.Realm{Admin: s.Admin(host.Secret{}), Secret: SecretService, Clients: s.clients()},
		nginx.Config{
			Address: s.Self.Address, Upstream: s.KeycloakAddr(), Webroot: s.ACME.Webroot,
			Files: []string{"/etc/nginx/nginx.conf", "/etc/nginx/stream.conf", "/etc/nginx/conf.d/idp-redirect.conf"},
		},
		nginx.Edge{Address: edge, Name: s.Self.FQDN},
		nginx.Listeners{Services: s.listeners()},
	)
}

func (s Stack) issuer(side keycloak.Side, address string) keycloak.Issuer {
	return keycloak.Issuer{Side: side, Address: address, URL: s.PublicURL(), Realm: s.Realm.Name, Database: s.Postgres.Database, Backups: s.Backups.Dir}
}

// clients are the realm's clients in the words of its probe.
func (s Stack) clients() []keycloak.Client {
	var out []keycloak.Client
	for _, c := range s.Realm.Clients {
		out = append(out, keycloak.Client{
			ID: c.ID, Public: c.Public, ServiceAccount: c.ServiceAccount, FullScope: c.FullScope,
			Redirects: c.Redirects, Audience: c.Audience, Groups: c.Group,
		})
	}
	return out
}

// listeners says who may listen where on an identity host.
func (s Stack) listeners() []nginx.Service {
	of := func(name string, port int, loopback bool, programs ...string) nginx.Service {
		return nginx.Service{Name: name, Port: uint16(port), Loopback: loopback, Programs: programs}
	}
	return []nginx.Service{
		of("nginx", 443, false, "nginx"), of("nginx", 80, false, "nginx"),
		of("keycloak", s.Keycloak.Port, true, "java"), of("keycloak", s.Keycloak.Mgmt, true, "java"),
		of("postgresql", s.Postgres.Port, true, "postgres"),
	}
}
