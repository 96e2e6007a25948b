package main

import (
	"slices"
	"strconv"
	"strings"

	"watchdog/rules"
)

func (f *siteForm) checkRealm(d *siteDoc) {
	r := f.Realm
	const word = "may hold letters, digits and . _ - only"
	d.check("realm/name", r.Name, siteNoneOf(siteWord, word, "Keycloak's own realm; choose another name", "master"))
	d.check("realm/admins_group", r.AdminsGroup, siteMatches(siteWord, word))
	if r.SessionMax > 0 {
		f.checkLifetime(d, "session_idle", r.SessionIdle)
		f.checkLifetime(d, "access_token", r.AccessToken)
	}
	names := map[string]bool{}
	for i, role := range r.Roles {
		at := "realm/roles/" + strconv.Itoa(i)
		own := []string{"offline_access", "uma_authorization", "default-roles-" + strings.ToLower(r.Name)}
		d.check(at+"/name", role.Name, siteNoneOf(siteWord, word, "Keycloak's own role", own...))
		switch {
		case role.Name == "":
			d.fail(at+"/name", "%s has no name", siteLabel(at))
		case names[role.Name]:
			d.fail(at+"/name", "role %s stands here twice", siteQuote(role.Name))
		}
		names[role.Name] = true
	}
}

// checkLifetime holds a lifetime against that of the whole session, and blames
// the one that the file gives.
func (f *siteForm) checkLifetime(d *siteDoc, key string, t siteDuration) {
	if t <= f.Realm.SessionMax {
		return
	}
	at := "realm/" + key
	if !d.set(at) {
		at = "realm/session_max"
	}
	d.fail(at, "%s %s is longer than session_max %s, which ends every session", key, t, f.Realm.SessionMax)
}

// siteBuiltinClients are the clients that every realm of Keycloak has.
var siteBuiltinClients = []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}

func (f *siteForm) checkClients(d *siteDoc) {
	ids := map[string]bool{}
	for i, c := range f.Realm.Clients {
		at := "realm/clients/" + strconv.Itoa(i)
		if !d.set(at) {
			continue // made from defaults
		}
		d.check(at+"/id", c.ID, func(s string) string {
			switch {
			case slices.Contains(siteBuiltinClients, s):
				return "is Keycloak's own client"
			case s == rules.AdminClient:
				return "is watchdog's own client"
			}
			return siteMatches(siteWord, "may hold letters, digits and . _ - only")(s)
		})
		switch {
		case c.ID == "":
			d.fail(at+"/id", "%s has no id", siteLabel(at))
			continue
		case ids[c.ID]:
			d.fail(at+"/id", "client %s stands here twice", siteQuote(c.ID))
		}
		ids[c.ID] = true
		f.checkClient(d, at, c)
	}
}

func (f *siteForm) checkClient(d *siteDoc, at string, c siteClient) {
	if problem := plainURLProblem(c.RootURL); problem != "" && d.clean(at+"/id") {
		d.fail(at+"/root_url", "root_url %s %s", siteQuote(c.RootURL), problem)
	}
	for j, u := range c.Redirects {
		d.check(at+"/redirects/"+strconv.Itoa(j), u, redirectProblem)
	}
	d.check(at+"/post_logout", c.PostLogout, func(s string) string {
		if s == "+" {
			return ""
		}
		return redirectProblem(s)
	})
	if c.Public && c.ServiceAccount {
		d.fail(at+"/service_account", "client %s is public and has a service account; a client without a secret cannot have one", siteQuote(c.ID))
	}
}

// checkGateways looks at the applications one by one.
func (f *siteForm) checkGateways(d *siteDoc) {
	names, clients := map[string]bool{}, map[string]string{}
	for i, g := range f.Gateways {
		at := "gateways/" + strconv.Itoa(i)
		if g.Name == "" {
			d.fail(at+"/name", "%s has no name", siteLabel(at))
			continue
		}
		d.check(at+"/name", g.Name, siteMatches(siteShortName, "is not a short name: a-z first, then a-z, 0-9 and inner hyphens"))
		if names[g.Name] {
			d.fail(at+"/name", "gateway %s stands here twice", siteQuote(g.Name))
			continue
		}
		names[g.Name] = true
		d.check(at+"/fqdn", g.FQDN, domainProblem)
		d.check(at+"/upstream", g.Upstream, upstreamProblem)
		if g.Upstream == "" {
			d.fail(at+"/upstream", "gateway %s has no upstream; give the application's URL, as http://[::1]:8123", siteQuote(g.Name))
		}
		if other, ok := clients[g.Client]; ok {
			d.fail(at+"/client", "client %s is the client of gateway %s already; each has its own", siteQuote(g.Client), other)
		}
		clients[g.Client] = g.Name
		f.checkGatewayHost(d, at, g)
		f.checkGatewayClient(d, at, g)
	}
}

func (f *siteForm) checkGatewayHost(d *siteDoc, at string, g siteGateway) {
	var keys []string
	for _, h := range f.Hosts {
		keys = append(keys, h.Key)
	}
	switch able := f.gatewayHosts(); {
	case g.Host == "" && len(able) == 0:
		d.fail(at+"/host", "gateway %s has no host: no host has the role ollama or gateway", siteQuote(g.Name))
	case g.Host == "":
		d.fail(at+"/host", "gateway %s must name its host: %s", siteQuote(g.Name), strings.Join(able, " or "))
	case !slices.Contains(keys, g.Host):
		d.fail(at+"/host", "gateway %s names host %s, which does not exist; %s", siteQuote(g.Name), siteQuote(g.Host), siteMeant(g.Host, keys))
	case !slices.Contains(able, g.Host) && d.clean("hosts/"+g.Host):
		d.fail(at+"/host", "gateway %s is on host %s, which has neither the role ollama nor gateway", siteQuote(g.Name), g.Host)
	}
}

// checkGatewayClient holds a client that the file describes against what its
// gateway needs of it.
func (f *siteForm) checkGatewayClient(d *siteDoc, at string, g siteGateway) {
	d.check(at+"/client", g.Client, siteMatches(siteWord, "may hold letters, digits and . _ - only"))
	for i, c := range f.Realm.Clients {
		p := "realm/clients/" + strconv.Itoa(i)
		callback := "https://" + g.FQDN + siteCallback
		switch {
		case c.ID != g.Client || !d.set(p):
		case c.Public:
			d.fail(p+"/public", "client %s is public, and gateway %s needs one with a secret", siteQuote(c.ID), g.Name)
		case !slices.Contains(c.Redirects, callback) && !slices.Contains(c.Redirects, "https://"+g.FQDN+"/*") && d.clean(p+"/redirects") && d.clean(at+"/fqdn"):
			d.fail(p+"/redirects", "client %s lacks the callback of gateway %s, %s", siteQuote(c.ID), g.Name, callback)
		}
	}
}

// checkEdges wants every host with a role to have something to do.
func (f *siteForm) checkEdges(d *siteDoc) {
	if hosts := f.ollamaHosts(); !d.set("gateways") && len(hosts) > 1 {
		d.fail("hosts/"+hosts[1].Key+"/roles", "hosts %s and %s both have the role ollama; describe their gateways under gateways", hosts[0].Key, hosts[1].Key)
		return
	}
	for _, key := range f.gatewayHosts() {
		named := slices.ContainsFunc(f.Gateways, func(g siteGateway) bool { return g.Host == key || g.Host == "" })
		if !named && d.clean("hosts/"+key) && d.clean("gateways") {
			d.fail("hosts/"+key+"/roles", "no gateway names host %s; describe one under gateways, or take the role away", key)
		}
	}
}
