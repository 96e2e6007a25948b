package keycloak

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

// What Keycloak 26.7 answers about two clients of the guide, shortened.
const (
	realmJSON  = `{"realm":"breath","enabled":true,"sslRequired":"all","attributes":{"frontendUrl":"","cibaInterval":"5"}}`
	bridgeJSON = `{"clientId":"ha-bridge","enabled":true,"redirectUris":["https://ha.example.org/*"],"standardFlowEnabled":true,"implicitFlowEnabled":false,
		"directAccessGrantsEnabled":false,"serviceAccountsEnabled":false,"publicClient":true,"fullScopeAllowed":true,
		"attributes":{"pkce.code.challenge.method":"S256","post.logout.redirect.uris":"+"},
		"defaultClientScopes":["web-origins","acr","roles","profile","basic","email"]}`
	gatewayJSON = `{"clientId":"ollama-gw","secret":"` + probetest.Secret + `","enabled":true,"redirectUris":["https://b.example.org/oauth2/callback","https://a.example.org/oauth2/callback"],
		"standardFlowEnabled":true,"implicitFlowEnabled":false,"directAccessGrantsEnabled":false,"serviceAccountsEnabled":true,"publicClient":false,"fullScopeAllowed":false,
		"attributes":{"client.secret.creation.time":"1795444966","pkce.code.challenge.method":"S256"},
		"protocolMappers":[
			{"name":"groups","protocolMapper":"oidc-group-membership-mapper","config":{"id.token.claim":"true","access.token.claim":"true","claim.name":"groups"}},
			{"name":"aud-ollama-gw","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"ollama-gw","id.token.claim":"false","access.token.claim":"true"}}],
		"defaultClientScopes":["web-origins","service_account","acr","roles","profile","basic","email"]}`
	scopesJSON = `[
		{"name":"email","protocolMappers":[{"name":"email","protocolMapper":"oidc-usermodel-attribute-mapper","config":{"id.token.claim":"true","access.token.claim":"true","claim.name":"email"}}]},
		{"name":"basic","protocolMappers":[{"name":"sub","protocolMapper":"oidc-sub-mapper","config":{"access.token.claim":"true"}}]},
		{"name":"role_list"}]`
)

// administers answers the administration interface.
func administers(realm, clients, scopes string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /realms/breath/protocol/openid-connect/token", says(200, `{"access_token":"t","expires_in":60}`))
	for path, body := range map[string]string{"": realm, "/clients": clients, "/client-scopes": scopes} {
		mux.HandleFunc("GET /admin/realms/breath"+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer t" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, body)
		})
	}
	return mux
}

// forbids gives a token that is good for nothing.
func forbids() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /realms/breath/protocol/openid-connect/token", says(200, `{"access_token":"t","expires_in":60}`))
	mux.Handle("GET /admin/", says(403, `{"error":"HTTP 403 Forbidden"}`))
	return mux
}

func TestRealm(t *testing.T) {
	for _, s := range []string{realmJSON, bridgeJSON, gatewayJSON, scopesJSON} {
		if !json.Valid([]byte(s)) {
			t.Fatalf("not JSON: %s", s)
		}
	}
	ca := newAuthority(t)
	tls := ca.serves(t, name, time.Now().Add(time.Hour))
	both := "[" + gatewayJSON + "," + bridgeJSON + "]"
	with := func(realm, clients, scopes string) []hosttest.Option {
		return serve(local, tls, administers(realm, clients, scopes))
	}
	but := func(old, new string) []hosttest.Option {
		changed := strings.Replace(both, old, new, 1)
		if changed == both {
			t.Fatalf("nothing says %s", old)
		}
		return with(realmJSON, changed, scopesJSON)
	}
	refuses := func(status int, body string) []hosttest.Option { return serve(local, tls, says(status, body)) }
	drift := []string{"realm.client-drift ollama-gw"}

	probetest.Suite{
		Probe: ca.trusted(Realm{
			Admin:  host.Admin{Public: base, Dial: local, Realm: "breath", Client: "watchdog"},
			Secret: "keycloak-service",
			Clients: []Client{
				{ID: "ollama-gw", ServiceAccount: true, Redirects: []string{"https://a.example.org/oauth2/callback", "https://b.example.org/oauth2/callback"}, Audience: true, Groups: true},
				{ID: "ha-bridge", Public: true, FullScope: true, Redirects: []string{"https://ha.example.org/*"}},
			},
		}),
		Cases: map[string]probetest.Case{
			"well":           {Host: with(realmJSON, both, scopesJSON)},
			"realm disabled": {Host: with(strings.Replace(realmJSON, "true", "false", 1), both, scopesJSON), Want: []string{"realm.disabled breath"}},
			"frontend URL":   {Host: with(strings.Replace(realmJSON, `"frontendUrl":""`, `"frontendUrl":"`+issuer+`"`, 1), both, scopesJSON), Want: []string{"realm.frontend-url breath"}, Says: []string{issuer}},
			"client gone":    {Host: with(realmJSON, "["+bridgeJSON+"]", scopesJSON), Want: []string{"realm.client-missing ollama-gw"}},
			"redirect":       {Host: but("https://a.example.org/oauth2/callback", "https://evil.example.org/*"), Want: drift, Says: []string{"redirectUris [https://b.example.org/oauth2/callback https://evil.example.org/*]"}},
			"PKCE":           {Host: but(`"pkce.code.challenge.method":"S256"`, `"x":"y"`), Want: drift, Says: []string{"pkce.code.challenge.method S256"}},
			"plain PKCE":     {Host: but(`"S256"`, `"plain"`), Want: drift},
			"disabled":       {Host: but(`"enabled":true`, `"enabled":false`), Want: drift},
			"implicit":       {Host: but(`"implicitFlowEnabled":false`, `"implicitFlowEnabled":true`), Want: drift},
			"passwords":      {Host: but(`"directAccessGrantsEnabled":false`, `"directAccessGrantsEnabled":true`), Want: drift},
			"no login":       {Host: but(`"standardFlowEnabled":true`, `"standardFlowEnabled":false`), Want: drift},
			"public":         {Host: but(`"publicClient":false`, `"publicClient":true`), Want: drift, Says: []string{"publicClient false"}},
			"full scope":     {Host: but(`"fullScopeAllowed":false`, `"fullScopeAllowed":true`), Want: drift},
			"no account":     {Host: but(`"serviceAccountsEnabled":true`, `"serviceAccountsEnabled":false`), Want: drift},
			"no audience":    {Host: but(`"included.client.audience":"ollama-gw"`, `"included.client.audience":"x"`), Want: []string{"token.claim-missing ollama-gw"}, Says: []string{"aud: "}},
			"no groups":      {Host: but("oidc-group-membership-mapper", "oidc-script-mapper"), Want: []string{"token.claim-missing ollama-gw"}, Says: []string{"groups: "}},
			"no scope email": {Host: but(`"basic","email"`, `"basic"`), Want: []string{"token.claim-missing ollama-gw"}, Says: []string{"email: "}},
			"empty scopes": {Host: with(realmJSON, both, `[{"name":"basic"},{"name":"email"}]`),
				Want: []string{"token.claim-missing scopes"}, Says: []string{"sub: scope basic", "email: scope email"}},
			"a scope gone": {Host: with(realmJSON, both, strings.Replace(scopesJSON, `"basic"`, `"basis"`, 1)), Want: []string{"token.claim-missing scopes"}, Says: []string{"sub: scope basic"}},
			"its mapper gone, and a client's": {Host: with(realmJSON, strings.Replace(both, `"included.client.audience":"ollama-gw"`, `"included.client.audience":"x"`, 1),
				strings.Replace(scopesJSON, "oidc-sub-mapper", "x", 1)), Want: []string{"token.claim-missing ollama-gw", "token.claim-missing scopes"}},
			"brought by itself": {Host: with(realmJSON, strings.NewReplacer(`"protocolMappers":[`, `"protocolMappers":[{"protocolMapper":"oidc-sub-mapper","config":{"access.token.claim":"true"}},`).Replace("["+gatewayJSON+"]"),
				strings.Replace(scopesJSON, "oidc-sub-mapper", "x", 1)), Want: []string{"realm.client-missing ha-bridge"}},
			"refused realm":  {Host: refuses(404, `{"error":"Realm does not exist"}`), Want: []string{"realm.missing breath"}},
			"disabled realm": {Host: refuses(403, `{"error":"access_denied","error_description":"Realm not enabled"}`), Want: []string{"realm.disabled breath"}},
			"roles gone":     {Host: serve(local, tls, forbids()), Want: []string{"token.client-rejected watchdog"}, Says: []string{"GET /admin/realms/breath: status 403"}},
			"account gone":   {Host: refuses(401, `{"error":"invalid_client"}`), Want: []string{"realm.client-missing watchdog"}},
			"wrong secret":   {Host: refuses(401, `{"error":"unauthorized_client"}`), Err: "unauthorized_client"},
			"database gone":  {Host: refuses(500, `{"error":"unknown_error"}`), Err: "status 500"},
			"nobody":         {Err: "connection refused"},
			"frozen":         {Host: []hosttest.Option{hosttest.Serve(local, hosttest.Hang)}, Deadline: 600 * time.Millisecond, Err: "deadline"},
			"no secret":      {Host: []hosttest.Option{hosttest.Node(host.SecretDir+"/keycloak-service", nil)}, Err: "no secret keycloak-service"},
		},
	}.Run(t)
}
