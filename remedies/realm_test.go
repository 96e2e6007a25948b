package remedies_test

import (
	"slices"
	"strings"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func realm() remedies.Realm { return remedies.Realm{Admin: kcAdmin()} }

// kcHealed is a site whose realm is as it should be.
func kcHealed(t *testing.T) (*remedytest.Machine, *fakeKeycloak) {
	t.Helper()
	m, k := kcSite(t)
	mend(t, kcAdmin(), m)
	mend(t, realm(), m)
	return m, k
}

func TestRealm(t *testing.T) {
	m, k := kcSite(t)
	mend(t, kcAdmin(), m)
	lines := plan(t, realm(), m).Lines()
	for _, want := range []string{"client ollama-gw: create it", "role admin: create it", "group admins: create it"} {
		if !slices.Contains(lines, want) {
			t.Errorf("planned %q, want %q", lines, want)
		}
	}
	remedytest.Suite(t, realm(), m)
	mend(t, realm(), m)
	k.change(func() {
		r := k.Realms["breath"]
		same(t, "sslRequired", any("all"), r.Fields["sslRequired"])
		gw := find(r.Clients, "clientId", "ollama-gw")
		same(t, "web origins", any([]any{"https://ollama.example.org"}), gw["webOrigins"])
		same(t, "mappers", 2, len(gw["protocolMappers"].([]any)))
		same(t, "scopes", 6, len(texts(gw["defaults"])))
		g := find(r.Groups, "name", "admins")
		same(t, "realm roles", []string{"admin"}, texts(g["realmRoles"]))
		same(t, "client roles", []string{"realm-admin"}, texts(g["clientRoles"].(object)["realm-management"]))
	})
}

// drifts are ways in which a realm goes wrong, with what is planned for each.
var drifts = map[string]struct {
	harm func(k *fakeKeycloak, r *fakeRealm)
	want string // the one line of the plan
}{
	"redirect": {func(_ *fakeKeycloak, r *fakeRealm) {
		find(r.Clients, "clientId", "ollama-gw")["redirectUris"] = []any{"https://evil.example/*"}
	}, "client ollama-gw: set redirectUris to https://ollama.example.org/oauth2/callback (now https://evil.example/*)"},
	"PKCE": {func(_ *fakeKeycloak, r *fakeRealm) {
		find(r.Clients, "clientId", "ha-bridge")["attributes"].(object)["pkce.code.challenge.method"] = ""
	}, "client ha-bridge: set pkce.code.challenge.method to S256"},
	"full scope": {func(_ *fakeKeycloak, r *fakeRealm) {
		find(r.Clients, "clientId", "ollama-gw")["fullScopeAllowed"] = true
	}, "client ollama-gw: set fullScopeAllowed to false (now true)"},
	"a mapper's claim": {func(_ *fakeKeycloak, r *fakeRealm) {
		for _, m := range find(r.Clients, "clientId", "ollama-gw")["protocolMappers"].([]any) {
			if m := m.(object); m["name"] == "groups" {
				m["config"].(object)["claim.name"] = "teams"
			}
		}
	}, "client ollama-gw: mapper groups: set claim.name to groups (now teams)"},
	"a mapper gone": {func(_ *fakeKeycloak, r *fakeRealm) {
		find(r.Clients, "clientId", "ollama-gw")["protocolMappers"] = []any{}
	}, "client ollama-gw: create mapper aud-ollama-gw; create mapper groups"},
	"a scope taken": {func(_ *fakeKeycloak, r *fakeRealm) {
		c := find(r.Clients, "clientId", "ollama-gw")
		c["defaults"] = slices.DeleteFunc(texts(c["defaults"]), func(id string) bool { return id == idOf(find(r.Scopes, "name", "email")) })
	}, "client ollama-gw: make scope email a default one"},
	"a scope made optional": {func(_ *fakeKeycloak, r *fakeRealm) {
		c, id := find(r.Clients, "clientId", "ollama-gw"), idOf(find(r.Scopes, "name", "email"))
		c["defaults"] = slices.DeleteFunc(texts(c["defaults"]), func(s string) bool { return s == id })
		c["optionals"] = []string{id}
	}, "client ollama-gw: scope email is optional; make scope email a default one"},
	"sub gone": {func(_ *fakeKeycloak, r *fakeRealm) {
		s := find(r.Scopes, "name", "basic")
		s["protocolMappers"] = s["protocolMappers"].([]any)[1:]
	}, "client scopes: scope basic: create mapper sub"},
	"frontend URL": {func(_ *fakeKeycloak, r *fakeRealm) {
		r.Fields["attributes"] = object{"frontendUrl": "https://x/realms/breath", "mine": "stays"}
	}, "realm breath: clear frontendUrl (now https://x/realms/breath)"},
	"registration": {func(_ *fakeKeycloak, r *fakeRealm) { r.Fields["registrationAllowed"] = true },
		"realm breath: set registrationAllowed to false (now true)"},
	"events": {func(_ *fakeKeycloak, r *fakeRealm) { r.Fields["eventsEnabled"] = false },
		"realm breath: set eventsEnabled to true (now false)"},
	"a role": {func(_ *fakeKeycloak, r *fakeRealm) { find(r.Roles, "name", "user")["description"] = "x" },
		"role user: set description to Standard user (now x)"},
	"administrators": {func(_ *fakeKeycloak, r *fakeRealm) {
		find(r.Groups, "name", "admins")["clientRoles"] = object{}
	}, "group admins: give it role realm-admin"},
	"a client": {func(_ *fakeKeycloak, r *fakeRealm) {
		r.Clients = without(r.Clients, idOf(find(r.Clients, "clientId", "ha-bridge")))
	}, "client ha-bridge: create it"},
}

// TestRealmHeals: only what differs is changed, and what nobody here made stays.
func TestRealmHeals(t *testing.T) {
	for name, tt := range drifts {
		t.Run(name, func(t *testing.T) {
			m, k := kcHealed(t)
			again(t, realm(), m)
			k.change(func() {
				r := k.Realms["breath"]
				k.addClient(r, object{"clientId": "foreign", "redirectUris": []any{"*"}})
				k.addUser("breath", object{"username": "alice"})
				find(r.Clients, "clientId", "ollama-gw")["attributes"].(object)["mine"] = "stays"
				r.Roles = append(r.Roles, object{"id": "r", "name": "foreign"})
				tt.harm(k, r)
			})
			same(t, "lines", []string{tt.want}, plan(t, realm(), m).Lines())
			mend(t, realm(), m)
			again(t, realm(), m)
			k.change(func() {
				r := k.Realms["breath"]
				if find(r.Clients, "clientId", "foreign") == nil || find(r.Users, "username", "alice") == nil || find(r.Roles, "name", "foreign") == nil {
					t.Error("something of somebody else's is gone")
				}
				same(t, "an attribute of somebody's", any("stays"), find(r.Clients, "clientId", "ollama-gw")["attributes"].(object)["mine"])
				if a, ok := r.Fields["attributes"].(object); ok && name == "frontend URL" {
					same(t, "a realm's attribute of somebody's", any("stays"), a["mine"])
				}
			})
		})
	}
}

// TestRealmWithEmptyScopes: the guide's import brings scopes of the built-in
// names without a mapper, and the rest of them are missing.
func TestRealmWithEmptyScopes(t *testing.T) {
	m, k := kcHealed(t)
	k.change(func() {
		r := k.Realms["breath"]
		r.Scopes, r.Defaults = nil, nil
		for _, name := range []string{"roles", "profile", "email"} {
			s := k.named(object{"name": name, "protocol": "openid-connect"})
			r.Scopes, r.Optionals = append(r.Scopes, s), append(r.Optionals, idOf(s))
		}
		for _, c := range r.Clients {
			c["defaults"], c["optionals"] = []string{}, r.Optionals
		}
	})
	mend(t, realm(), m)
	again(t, realm(), m)
	k.change(func() {
		r := k.Realms["breath"]
		same(t, "default scopes", 6, len(r.Defaults))
		same(t, "optional scopes", 0, len(r.Optionals))
		for name, want := range map[string]int{"profile": 14, "email": 2, "basic": 2} {
			same(t, "mappers of "+name, want, len(find(r.Scopes, "name", name)["protocolMappers"].([]any)))
		}
		for _, id := range []string{"ollama-gw", "ha-bridge", "watchdog"} {
			same(t, "scopes of "+id, 6, len(texts(find(r.Clients, "clientId", id)["defaults"])))
		}
	})
}

// TestRealmKeepsFewerClaims: somebody who took a birthdate out of the tokens
// did so on purpose.
func TestRealmKeepsFewerClaims(t *testing.T) {
	m, k := kcHealed(t)
	k.change(func() {
		s := find(k.Realms["breath"].Scopes, "name", "profile")
		s["protocolMappers"] = slices.DeleteFunc(s["protocolMappers"].([]any), func(m any) bool { return m.(object)["name"] == "birthdate" })
	})
	again(t, realm(), m)
}

// TestRealmOrder: Keycloak gives lists back in an order of its own.
func TestRealmOrder(t *testing.T) {
	m, k := kcHealed(t)
	k.change(func() {
		slices.Reverse(k.Realms["breath"].Fields["enabledEventTypes"].([]any))
	})
	again(t, realm(), m)
}

// TestRealmDisabled: the service account can't get in, so its plan begins with
// letting it in.
func TestRealmDisabled(t *testing.T) {
	m, k := kcHealed(t)
	k.change(func() { k.Realms["breath"].Fields["enabled"] = false })
	forget(m)
	p := plan(t, realm(), m)
	if lines := p.Lines(); !strings.HasPrefix(lines[0], "make administrator") {
		t.Errorf("planned %q", lines)
	}
	mend(t, realm(), m)
	again(t, realm(), m)
	kcProper(t, k)
}

// TestRealmOnABareHost: a plan can be shown before there is anything.
func TestRealmOnABareHost(t *testing.T) {
	p := plan(t, realm(), remedytest.New(hosttest.Dir("/opt")))
	same(t, "waits", []string{"secret keycloak-admin", "secret keycloak-service"}, p.Waits)
	if lines := p.Lines(); !slices.Contains(lines, "bring client ollama-gw to what the site says") {
		t.Errorf("planned %q", lines)
	}
}
