package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/remedies"
	"watchdog/rules"
)

// The guide's names where a site does not give its own.
const (
	guideRealm   = "breath"
	guideDisplay = "Breath Technology"
	guideGateway = "ollama"
	guideOllama  = "http://[::1]:11434"
)

// siteDefault gives v its default unless the file has a value at path.
func siteDefault[T any](d *siteDoc, path string, v *T, to T) {
	if !d.set(path) {
		*v = to
	}
}

// fill gives everything that the file leaves open its default: the guide's
// value, as corrected.
func (f *siteForm) fill(d *siteDoc) {
	f.fillServices(d)
	for i := range f.Hosts {
		h := &f.Hosts[i]
		name := h.Key
		if slices.Contains(h.Value.Roles, rules.RoleKeycloak) {
			name = "idp"
		}
		siteDefault(d, "hosts/"+h.Key+"/fqdn", &h.Value.FQDN, name+"."+f.Domain)
	}
	f.fillGateways(d)
	f.fillRealm(d)
	siteDefault(d, "mode", &f.Mode, rules.Auto)
	siteDefault(d, "exporters/listen", &f.Exporters.Listen, "[::1]:9465")
}

func (f *siteForm) fillServices(d *siteDoc) {
	siteDefault(d, "acme/webroot", &f.ACME.Webroot, "/var/lib/acme-webroot")
	siteDefault(d, "acme/renew_before", &f.ACME.RenewBefore, siteDuration(21*siteDay))

	siteDefault(d, "postgres/database", &f.Postgres.Database, "keycloak")
	siteDefault(d, "postgres/role", &f.Postgres.Role, "keycloak")
	siteDefault(d, "postgres/port", &f.Postgres.Port, 5432)

	k := &f.Keycloak
	siteDefault(d, "keycloak/version", &k.Version, remedies.KeycloakVersion)
	if k.Version == remedies.KeycloakVersion {
		siteDefault(d, "keycloak/sha256", &k.SHA256, remedies.KeycloakSHA256)
	}
	siteDefault(d, "keycloak/user", &k.User, "keycloak")
	siteDefault(d, "keycloak/home", &k.Home, "/opt/keycloak")
	siteDefault(d, "keycloak/dir", &k.Dir, "/etc/keycloak")
	siteDefault(d, "keycloak/port", &k.Port, 8443)
	siteDefault(d, "keycloak/management_port", &k.ManagementPort, 9000)
	siteDefault(d, "keycloak/heap", &k.Heap, "512m")
	siteDefault(d, "keycloak/admin", &k.Admin, "director")

	siteDefault(d, "backups/dir", &f.Backups.Dir, "/var/backups/watchdog")
	siteDefault(d, "backups/keep", &f.Backups.Keep, siteDuration(14*siteDay))
	siteDefault(d, "backups/max_age", &f.Backups.MaxAge, siteDuration(26*time.Hour))
	siteDefault(d, "backups/at", &f.Backups.At, "02:30")
}

// gatewayHosts lists the keys of the hosts that may have gateways.
func (f *siteForm) gatewayHosts() []string {
	var keys []string
	for _, h := range f.Hosts {
		if slices.Contains(h.Value.Roles, rules.RoleOllama) || slices.Contains(h.Value.Roles, rules.RoleGateway) {
			keys = append(keys, h.Key)
		}
	}
	return keys
}

// ollamaHosts lists the hosts with the role ollama.
func (f *siteForm) ollamaHosts() []siteEntry[siteHost] {
	var hosts []siteEntry[siteHost]
	for _, h := range f.Hosts {
		if slices.Contains(h.Value.Roles, rules.RoleOllama) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (f *siteForm) fillGateways(d *siteDoc) {
	if hosts := f.ollamaHosts(); !d.set("gateways") && len(hosts) == 1 {
		f.Gateways = []siteGateway{{Name: guideGateway, Host: hosts[0].Key}}
	}
	hosts := f.gatewayHosts()
	for i := range f.Gateways {
		g, at := &f.Gateways[i], "gateways/"+strconv.Itoa(i)
		if len(hosts) == 1 {
			siteDefault(d, at+"/host", &g.Host, hosts[0])
		}
		siteDefault(d, at+"/fqdn", &g.FQDN, g.Name+"."+f.Domain)
		siteDefault(d, at+"/client", &g.Client, g.Name+"-gw")
		if g.Name == guideGateway {
			siteDefault(d, at+"/upstream", &g.Upstream, guideOllama)
		}
	}
}

func (f *siteForm) fillRealm(d *siteDoc) {
	r := &f.Realm
	siteDefault(d, "realm/name", &r.Name, guideRealm)
	title := r.Name
	if title != "" {
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	display := title
	if r.Name == guideRealm {
		display = guideDisplay
	}
	siteDefault(d, "realm/display", &r.Display, display)
	siteDefault(d, "realm/roles", &r.Roles, []siteRole{
		{Name: "admin", Description: "Realm admin for " + title},
		{Name: "user", Description: "Standard user"},
	})
	siteDefault(d, "realm/admins_group", &r.AdminsGroup, "admins")
	siteDefault(d, "realm/access_token", &r.AccessToken, siteDuration(30*time.Minute))
	siteDefault(d, "realm/session_idle", &r.SessionIdle, siteDuration(10*time.Hour))
	siteDefault(d, "realm/session_max", &r.SessionMax, siteDuration(24*time.Hour))

	for i := range r.Clients {
		c, at := &r.Clients[i], "realm/clients/"+strconv.Itoa(i)
		siteDefault(d, at+"/root_url", &c.RootURL, "https://"+strings.ToLower(c.ID)+"."+f.Domain)
		siteDefault(d, at+"/redirects", &c.Redirects, []string{strings.TrimSuffix(c.RootURL, "/") + "/*"})
		siteDefault(d, at+"/post_logout", &c.PostLogout, "+")
	}
	if hosts := f.ollamaHosts(); !d.set("realm/clients") && len(hosts) > 0 {
		r.Clients = f.guideClients(hosts[0].Value.FQDN)
	}
	for _, g := range f.Gateways {
		if !slices.ContainsFunc(r.Clients, func(c siteClient) bool { return c.ID == g.Client }) {
			r.Clients = append(r.Clients, gatewayClient(g))
		}
	}
}

// guideClients are the two of the guide's section 7 that no gateway has.
func (f *siteForm) guideClients(ollama string) []siteClient {
	director, bridge := "https://"+ollama, "https://ha-bridge."+f.Domain
	return []siteClient{
		{
			ID: "director", ServiceAccount: true, FullScope: true,
			RootURL: director, Redirects: []string{director + "/*"}, PostLogout: "+",
		},
		{
			ID: "ha-bridge", Public: true, FullScope: true,
			RootURL: bridge, Redirects: []string{bridge + "/*"}, PostLogout: "+",
		},
	}
}

// gatewayClient is what a gateway logs people in with: one callback, itself as
// the audience, and no more roles than it asks for.
func gatewayClient(g siteGateway) siteClient {
	root := "https://" + g.FQDN
	return siteClient{
		ID: g.Client, ServiceAccount: true, RootURL: root,
		Redirects: []string{root + siteCallback}, PostLogout: root + "/*",
		Audience: true, Groups: true,
	}
}

// siteCallback is where oauth2-proxy takes the code.
const siteCallback = "/oauth2/callback"
