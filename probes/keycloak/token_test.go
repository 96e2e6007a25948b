package keycloak

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

// signer gives out tokens as Keycloak does.
type signer struct {
	key  *rsa.PrivateKey
	keys *oidctest.Server
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.RS256}}}
	keys.SetIssuer(issuer)
	return signer{key, keys}
}

// claims are those of a token of the service account, as measured on 26.7.
func claims(change func(map[string]string)) string {
	c := map[string]string{
		"iss": `"` + issuer + `"`, "sub": `"98df5958-eb58-49d4-8986-08f54cad85d7"`, "aud": `["realm-management","account"]`,
		"exp": fmt.Sprint(hosttest.Noon.Add(time.Hour).Unix()), "iat": fmt.Sprint(hosttest.Noon.Unix()), "azp": `"watchdog"`,
	}
	if change != nil {
		change(c)
	}
	var all []string
	for k, v := range c {
		all = append(all, `"`+k+`":`+v)
	}
	return "{" + strings.Join(all, ",") + "}"
}

// gives answers token requests that carry the planted secret with a token of
// these claims.
func (s signer) gives(claims string, keys http.Handler) http.Handler {
	token := oidctest.SignIDToken(s.key, "k", oidc.RS256, claims)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /realms/breath/protocol/openid-connect/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_id") != "watchdog" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_secret") != probetest.Secret+"-keycloak-service" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"`+token+`","expires_in":60}`)
	})
	mux.HandleFunc("GET /realms/breath/protocol/openid-connect/certs", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/keys"
		keys.ServeHTTP(w, r)
	})
	return mux
}

func TestToken(t *testing.T) {
	ca := newAuthority(t)
	tls := ca.serves(t, name, time.Now().Add(time.Hour))
	s, other := newSigner(t), newSigner(t)
	with := func(change func(map[string]string)) []hosttest.Option {
		return serve(local, tls, s.gives(claims(change), s.keys))
	}
	without := func(claim string) []hosttest.Option {
		return with(func(c map[string]string) { delete(c, claim) })
	}
	answers := func(status int, body string) []hosttest.Option { return serve(local, tls, says(status, body)) }
	const secret = host.SecretDir + "/keycloak-service"

	probetest.Suite{
		Probe: ca.trusted(Token{Address: local, URL: base, Realm: "breath", Client: "watchdog", Secret: "keycloak-service", Audience: "realm-management", Database: "keycloak", Backups: "/var/backups/watchdog"}),
		Cases: map[string]probetest.Case{
			"well":           {Host: with(nil)},
			"no sub":         {Host: without("sub"), Want: []string{"token.claim-missing sub"}, Says: []string{"scope basic"}},
			"no aud":         {Host: without("aud"), Want: []string{"token.claim-missing aud"}},
			"other aud":      {Host: with(func(c map[string]string) { c["aud"] = `"account"` }), Want: []string{"token.claim-missing aud"}, Says: []string{`[\"account\"]`}},
			"one aud":        {Host: with(func(c map[string]string) { c["aud"] = `"realm-management"` })},
			"other iss":      {Host: with(func(c map[string]string) { c["iss"] = `"` + issuer + `/realms/breath"` }), Want: []string{"token.claim-missing iss"}},
			"expired":        {Host: with(func(c map[string]string) { c["exp"] = fmt.Sprint(hosttest.Noon.Add(-time.Second).Unix()) }), Want: []string{"token.claim-missing exp"}, Says: []string{"2026-11-23T11:59:59Z by this host's clock 2026-11-23T12:00:00Z"}},
			"no exp":         {Host: without("exp"), Want: []string{"token.claim-missing exp"}},
			"several":        {Host: with(func(c map[string]string) { delete(c, "sub"); delete(c, "aud") }), Want: []string{"token.claim-missing sub", "token.claim-missing aud"}},
			"other key":      {Host: serve(local, tls, s.gives(claims(nil), other.keys)), Want: []string{"token.unavailable watchdog"}, Says: []string{"does not verify"}},
			"no keys":        {Host: serve(local, tls, s.gives(claims(nil), says(500, ""))), Want: []string{"token.unavailable watchdog"}, Says: []string{"fetching keys"}},
			"database gone":  {Host: answers(500, `{"error":"unknown_error","error_description":"For more on this error consult the server log."}`), Want: []string{"token.unavailable watchdog"}, Says: []string{"unknown_error"}},
			"schema gone":    {Host: append(answers(500, `{"error":"unknown_error"}`), hosttest.Rows("relname = 'realm'", []string{"0"})), Want: []string{"keycloak.schema-missing keycloak"}, Says: []string{"a verified backup to restore"}},
			"schema there":   {Host: append(answers(500, `{"error":"unknown_error"}`), hosttest.Rows("relname = 'realm'", []string{"1"})), Want: []string{"token.unavailable watchdog"}},
			"unknown client": {Host: answers(401, `{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}`), Want: []string{"realm.client-missing watchdog"}},
			"wrong secret":   {Host: answers(401, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`), Want: []string{"token.client-rejected watchdog"}, Says: []string{"no connection left"}},
			"account off":    {Host: answers(401, `{"error":"unauthorized_client","error_description":"Client not enabled to retrieve service account"}`), Want: []string{"token.client-rejected watchdog"}, Says: []string{"not enabled to retrieve"}},
			"no realm":       {Host: answers(404, `{"error":"Realm does not exist"}`), Want: []string{"realm.missing breath"}},
			"realm disabled": {Host: answers(403, `{"error":"access_denied","error_description":"Realm not enabled"}`), Want: []string{"realm.disabled breath"}},
			"echo":           {Host: answers(400, `{"error":"invalid_request","error_description":"`+probetest.Secret+`-keycloak-service"}`), Want: []string{"token.unavailable watchdog"}, Says: []string{"[redacted]"}},
			"no token":       {Host: answers(200, `{}`), Want: []string{"token.unavailable watchdog"}},
			"not JSON":       {Host: answers(200, `<html>`), Want: []string{"token.unavailable watchdog"}},
			"garbage":        {Host: answers(200, `{"access_token":"x.y.z"}`), Want: []string{"token.unavailable watchdog"}},
			"starting":       {Host: answers(503, ""), Err: "Keycloak is starting"},
			"refused":        {Want: []string{"token.unavailable watchdog"}, Says: []string{"connection refused"}},
			"closes":         {Host: []hosttest.Option{hosttest.Serve(local, stops)}, Want: []string{"token.unavailable watchdog"}, Says: []string{"closes the connection"}},
			"frozen":         {Host: []hosttest.Option{hosttest.Serve(local, hosttest.Hang)}, Deadline: 600 * time.Millisecond, Want: []string{"token.unavailable watchdog"}, Says: []string{"no answer in time"}},
			"no secret":      {Host: append(with(nil), hosttest.Node(secret, nil)), Err: "no secret keycloak-service"},
			"no descriptors": {Host: []hosttest.Option{fails(local, syscall.EMFILE)}, Err: "too many open files"},
			"untrusted":      {Host: serve(local, newAuthority(t).serves(t, name, time.Now().Add(time.Hour)), says(200, "")), Want: []string{"token.unavailable watchdog"}, Says: []string{"unknown authority"}},
		},
	}.Run(t)
}
