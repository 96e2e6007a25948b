package rules

import "watchdog/remedies"

// keycloakRemedies are those of the secrets, the certificates, Keycloak, the
// realm, the backups and the program itself, in the order of installation.
func keycloakRemedies(s Stack) []remedies.Remedy {
	server := s.keycloakServer()
	admin := remedies.KeycloakAdmin{
		Server: server, Realm: s.realmSite(), User: s.Keycloak.AdminUser,
		Password: SecretAdmin, Service: SecretService,
	}
	return []remedies.Remedy{
		remedies.Secrets{Names: []string{SecretDatabase, SecretAdmin, SecretService}},
		s.certLineage(),
		remedies.KeycloakUser{Server: server},
		remedies.KeycloakDist{Server: server},
		s.certCopy(),
		s.renewalHook(),
		remedies.KeycloakConf{Server: server},
		remedies.KeycloakEnv{Server: server},
		admin,
		remedies.Realm{Admin: admin},
		s.Backup(),
		remedies.Self{},
	}
}

// certLineage is certbot's certificate of this host, and certCopy Keycloak's of
// it.
func (s Stack) certLineage() remedies.CertLineage {
	return remedies.CertLineage{
		Name: s.Self.FQDN, Server: s.ACME.Server, Email: s.ACME.Email,
		Webroot: s.ACME.Webroot, RenewBefore: s.ACME.RenewBefore,
	}
}

func (s Stack) certCopy() remedies.CertCopy {
	return remedies.CertCopy{Name: s.Self.FQDN, Server: s.keycloakServer()}
}

// keycloakServer is the site's Keycloak in the words of its remedies.
func (s Stack) keycloakServer() remedies.KeycloakServer {
	k := s.Keycloak
	return remedies.KeycloakServer{
		Version: k.Version, URL: k.URL, SHA256: k.SHA256,
		User: k.User, Home: k.Home, Dir: k.Dir, Heap: k.Heap,
		Public: s.PublicURL(), Port: k.Port, Mgmt: k.Mgmt,
		DatabasePort: s.Postgres.Port, Database: s.Postgres.Database, Role: s.Postgres.Role,
		Password: SecretDatabase,
	}
}

// realmSite is the realm in the words of its remedies.
func (s Stack) realmSite() remedies.RealmSite {
	r := remedies.RealmSite{
		Name: s.Realm.Name, Display: s.Realm.Display, Account: AdminClient, AdminsGroup: s.Realm.AdminsGroup,
		AccessToken: s.Realm.AccessToken, SessionIdle: s.Realm.SessionIdle, SessionMax: s.Realm.SessionMax,
	}
	for _, c := range s.Realm.Clients {
		r.Clients = append(r.Clients, remedies.RealmClient{
			ID: c.ID, Public: c.Public, ServiceAccount: c.ServiceAccount, RootURL: c.RootURL,
			Redirects: c.Redirects, PostLogout: c.PostLogout, Audience: c.Audience, Groups: c.Group,
			FullScope: c.FullScope,
		})
	}
	for _, role := range s.Realm.Roles {
		r.Roles = append(r.Roles, remedies.RealmRole(role))
	}
	return r
}

// renewalHook is certbot's deploy hook. Its text is what probe hook.renewal
// wants to see at [remedies.RenewalHookPath].
func (s Stack) renewalHook() remedies.RenewalHook {
	return remedies.RenewalHook{Name: s.Self.FQDN, Server: s.keycloakServer()}
}

// Backup makes, lists and deletes the backups of this host.
func (s Stack) Backup() remedies.Backup {
	return remedies.Backup{
		Database: s.Postgres.Database, Realm: s.Realm.Name, Server: s.keycloakServer(),
		Dir: s.Backups.Dir, Keep: s.Backups.Keep, MaxAge: s.Backups.MaxAge, At: s.Backups.At,
	}
}
