package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Token gets a token for the program's own service account and checks it as
// an application would. It is the one look that needs everything behind it: the
// listener, the realm, the client, the keys and the database.
type Token struct {
	Address  string // what is dialled: "[::1]:8443"
	URL      string // Keycloak's public base: "https://idp.example.org"
	Realm    string
	Client   string // the service account's client: "watchdog"
	Secret   string // name of its secret among the generated secrets
	Audience string // what the token has to be good for; empty for anything
	Database string // where Keycloak keeps its tables
	Backups  string // directory of the database's backups
}

// Spec implements [probes.Probe].
func (k Token) Spec() probes.Spec {
	return probes.Spec{
		ID:      "token",
		Summary: "the service account gets a token with the claims that applications need",
		Codes:   []probes.Code{TokenUnavailable, TokenClaimMissing, TokenClientRejected, RealmClientMissing, RealmDisabled, RealmMissing, SchemaMissing},
		Every:   30 * time.Second,
		Timeout: timeout,
	}
}

func (k Token) issuer() string   { return k.URL + "/realms/" + k.Realm }
func (k Token) endpoint() string { return k.issuer() + "/protocol/openid-connect/token" }
func (k Token) keys() string     { return k.issuer() + "/protocol/openid-connect/certs" }

// algorithms are those a realm may sign with.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Observe implements [probes.Probe]. Without the client's secret, and while
// Keycloak is starting, it could not look.
func (k Token) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	secret, err := h.Secret(k.Secret)
	if err != nil {
		return nil, err
	}
	if secret.Missing() {
		return nil, fmt.Errorf("get a token for %s: there is no secret %s yet", k.Client, k.Secret)
	}
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {k.Client}, "client_secret": {secret.Reveal()}}
	req, err := http.NewRequestWithContext(within, http.MethodPost, k.endpoint(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := h.HTTPClient(k.Address, req.URL.Hostname(), host.Kept)
	status, body, err := fetch(client, req)
	if err != nil {
		return k.unreachable(ctx, err)
	}
	if status != http.StatusOK {
		return k.refused(within, h, status, body, secret)
	}
	var reply struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(body, &reply) != nil || reply.AccessToken == "" {
		return k.found(TokenUnavailable, k.Client, "Keycloak's answer holds no token", fmt.Sprintf("status %d without access_token", status)), nil
	}
	return k.judge(oidc.ClientContext(within, client), ctx, h, reply.AccessToken)
}

// unreachable judges a request that got no answer.
func (k Token) unreachable(ctx context.Context, err error) ([]probes.Finding, error) {
	got := why(err)
	switch troubleOf(ctx, err) {
	case blind:
		return nil, err
	case silent:
		got = "accepts, no answer in time"
	case closed:
		got = "accepts, then: " + got
	}
	return k.found(TokenUnavailable, k.Client, "Keycloak gives no token", got), nil
}

// refused judges an answer that is an error. On 26.7 an unknown or disabled
// client is told invalid_client and a wrong secret unauthorized_client; the
// second also comes when the database has no connection left.
func (k Token) refused(ctx context.Context, h *host.Host, status int, body []byte, secret host.Secret) ([]probes.Finding, error) {
	var reply struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	malformed := json.Unmarshal(body, &reply) != nil
	text := strings.ReplaceAll(string(body), secret.Reveal(), secret.String())
	got := fmt.Sprintf("status %d: %s", status, clip(text, 200))
	switch {
	case status == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("get a token for %s: %s: Keycloak is starting", k.Client, got)
	case status == http.StatusInternalServerError && schemaGone(ctx, h, k.Database):
		return restorable(h, k.found(SchemaMissing, k.Database, noTables, got), k.Backups), nil
	case malformed:
	case reply.Error == "Realm does not exist":
		return k.found(RealmMissing, k.Realm, "realm "+k.Realm+" does not exist", got), nil
	case reply.Description == "Realm not enabled":
		return k.found(RealmDisabled, k.Realm, "realm "+k.Realm+" is disabled", got), nil
	case reply.Error == "invalid_client":
		return k.found(RealmClientMissing, k.Client, "client "+k.Client+" is gone or disabled", got), nil
	case reply.Error == "unauthorized_client":
		return k.found(TokenClientRejected, k.Client, "Keycloak rejects client "+k.Client,
			got+" (also seen when the database has no connection left)"), nil
	}
	return k.found(TokenUnavailable, k.Client, "Keycloak gives no token", got), nil
}

// judge verifies the token with Keycloak's keys, read through the same
// listener, and then claim by claim. In ctx is the client for the keys.
func (k Token) judge(ctx, outer context.Context, h *host.Host, raw string) ([]probes.Finding, error) {
	verifier := oidc.NewVerifier(k.issuer(), oidc.NewRemoteKeySet(ctx, k.keys()), &oidc.Config{
		SkipClientIDCheck: true, SkipIssuerCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: algorithms, Now: h.Now,
	})
	token, err := verifier.Verify(ctx, raw)
	switch {
	case outer.Err() != nil:
		return nil, outer.Err()
	case err != nil:
		// Before anything is cut off: of a token that was cut nothing is replaced.
		err = errors.New(strings.ReplaceAll(err.Error(), raw, "the token"))
		return k.found(TokenUnavailable, k.Client, "the token does not verify with Keycloak's keys", why(err)), nil
	}
	var found []probes.Finding
	missing := func(claim, want, got string) {
		f := k.found(TokenClaimMissing, claim, "the token lacks the right claim "+claim, got)
		f[0].Evidence[0].Want = want
		found = append(found, f...)
	}
	if token.Issuer != k.issuer() {
		missing("iss", k.issuer(), clip(token.Issuer, 200))
	}
	if token.Subject == "" {
		missing("sub", "the service account's ID", "no claim sub: is scope basic assigned?")
	}
	if !token.Expiry.After(h.Now()) {
		missing("exp", "a time to come", token.Expiry.UTC().Format(time.RFC3339)+" by this host's clock "+h.Now().UTC().Format(time.RFC3339))
	}
	if k.Audience != "" && !slices.Contains(token.Audience, k.Audience) {
		missing("aud", k.Audience, clip(fmt.Sprintf("%q", token.Audience), 200))
	}
	return found, nil
}

func (k Token) found(code probes.Code, subject, summary, got string) []probes.Finding {
	return []probes.Finding{{Code: code, Subject: subject, Summary: summary, Evidence: []probes.Evidence{{
		Source:  k.endpoint() + " at " + k.Address,
		Want:    "a token for " + k.Client,
		Got:     got,
		Command: "watchdog probe token",
	}}}}
}
