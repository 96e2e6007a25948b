package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// stack is the typed site. The form must be without problems.
func (f *siteForm) stack(data []byte) rules.Stack {
	sum := sha256.Sum256(data)
	s := rules.Stack{
		Domain: f.Domain,
		ACME: rules.ACME{
			Server: f.ACME.Server, Email: f.ACME.Email, Webroot: f.ACME.Webroot,
			RenewBefore: time.Duration(f.ACME.RenewBefore),
		},
		Postgres: rules.Postgres{Database: f.Postgres.Database, Role: f.Postgres.Role, Port: f.Postgres.Port},
		Keycloak: f.Keycloak.stack(),
		Realm:    f.Realm.stack(),
		Backups: rules.Backups{
			Dir: f.Backups.Dir, Keep: time.Duration(f.Backups.Keep),
			MaxAge: time.Duration(f.Backups.MaxAge), At: f.Backups.At,
		},
		Mode:      f.Mode,
		Exporters: rules.Exporters{Listen: f.Exporters.Listen},
		Hash:      hex.EncodeToString(sum[:]),
	}
	for _, h := range f.Hosts {
		s.Hosts = append(s.Hosts, rules.Host{
			Name: h.Key, FQDN: h.Value.FQDN, Address: netip.MustParseAddr(h.Value.Address), Roles: h.Value.Roles,
		})
	}
	for _, g := range f.Gateways {
		s.Gateways = append(s.Gateways, rules.Gateway{Name: g.Name, Host: g.Host, FQDN: g.FQDN, Upstream: strings.TrimSuffix(g.Upstream, "/"), Client: g.Client})
	}
	for _, a := range f.Firewall.Admin {
		p, _ := siteNetwork(a)
		s.Firewall.Admin = append(s.Firewall.Admin, p)
	}
	for _, p := range f.Firewall.Allow {
		s.Firewall.Allow = append(s.Firewall.Allow, uint16(p))
	}
	for _, m := range f.Modes {
		if s.Modes == nil {
			s.Modes = map[probes.Code]rules.Mode{}
		}
		s.Modes[probes.Code(m.Key)] = m.Value
	}
	return s
}

func (k siteKeycloak) stack() rules.Keycloak {
	return rules.Keycloak{
		Version: k.Version, URL: k.URL, SHA256: k.SHA256,
		User: k.User, Home: k.Home, Dir: k.Dir,
		Port: k.Port, Mgmt: k.ManagementPort, Heap: k.Heap, AdminUser: k.Admin,
	}
}

func (r siteRealm) stack() rules.Realm {
	realm := rules.Realm{
		Name: r.Name, Display: r.Display, AdminsGroup: r.AdminsGroup,
		AccessToken: time.Duration(r.AccessToken), SessionIdle: time.Duration(r.SessionIdle), SessionMax: time.Duration(r.SessionMax),
	}
	for _, c := range r.Clients {
		realm.Clients = append(realm.Clients, rules.Client{
			ID: c.ID, Public: c.Public, ServiceAccount: c.ServiceAccount,
			RootURL: c.RootURL, Redirects: c.Redirects, PostLogout: c.PostLogout,
			Audience: c.Audience, Group: c.Groups, FullScope: c.FullScope,
		})
	}
	for _, role := range r.Roles {
		realm.Roles = append(realm.Roles, rules.RealmRole{Name: role.Name, Description: role.Description})
	}
	return realm
}

// standOn makes key the host that the stack is seen from.
func (f *siteForm) standOn(s *rules.Stack, key string) error {
	for i, h := range f.Hosts {
		if h.Key != key {
			continue
		}
		s.Self = s.Hosts[i]
		s.Network = rules.Network{Interface: h.Value.Interface, Prefix: h.Value.Prefix}
		if h.Value.Gateway != "" {
			s.Network.Gateway = netip.MustParseAddr(h.Value.Gateway)
		}
		return nil
	}
	return fmt.Errorf("the site has no host %s; %s", siteQuote(key), siteMeant(key, f.hostKeys()))
}

func (f *siteForm) hostKeys() []string {
	keys := make([]string, len(f.Hosts))
	for i, h := range f.Hosts {
		keys[i] = h.Key
	}
	return keys
}
