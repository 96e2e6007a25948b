package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Realm reads the realm by its administration interface and judges what
// logins depend on: that it is enabled, that each client is there, with its
// closed list of redirects, PKCE and flows, and that the tokens of each carry
// the claims that applications need. What of the realm no login depends on is
// the realm remedy's to compare.
type Realm struct {
	// Admin is the program's service account; its secret is read anew at each
	// look.
	Admin   host.Admin
	Secret  string // name of the secret among the generated ones
	Clients []Client
}

// A Client is what has to hold of one client.
type Client struct {
	ID             string
	Public         bool
	ServiceAccount bool
	FullScope      bool
	// Redirects is the closed list; empty for one without logins.
	Redirects []string
	// Audience: access tokens are for the client itself. Groups: tokens carry
	// the user's groups.
	Audience, Groups bool
}

// Spec implements [probes.Probe].
func (r Realm) Spec() probes.Spec {
	return probes.Spec{
		ID:      "realm",
		Summary: "the realm is enabled and its clients are as logins need them",
		Codes:   []probes.Code{RealmClientMissing, RealmClientDrift, RealmDisabled, RealmMissing, RealmFrontendURL, TokenClaimMissing, TokenClientRejected},
		Every:   time.Minute,
		// Four requests; just after a start they took 2.5 s.
		Timeout: 5 * time.Second,
	}
}

// The parts of the administration interface's answers that are judged. Secrets
// of clients are in none of them.
type (
	realmAnswer struct {
		Enabled    bool              `json:"enabled"`
		Attributes map[string]string `json:"attributes"`
	}
	clientAnswer struct {
		ClientID       string            `json:"clientId"`
		Enabled        bool              `json:"enabled"`
		Public         bool              `json:"publicClient"`
		ServiceAccount bool              `json:"serviceAccountsEnabled"`
		Standard       bool              `json:"standardFlowEnabled"`
		Implicit       bool              `json:"implicitFlowEnabled"`
		Direct         bool              `json:"directAccessGrantsEnabled"`
		FullScope      bool              `json:"fullScopeAllowed"`
		Redirects      []string          `json:"redirectUris"`
		Attributes     map[string]string `json:"attributes"`
		Scopes         []string          `json:"defaultClientScopes"`
		Mappers        []mapper          `json:"protocolMappers"`
	}
	scopeAnswer struct {
		Name    string   `json:"name"`
		Mappers []mapper `json:"protocolMappers"`
	}
	mapper struct {
		Kind   string            `json:"protocolMapper"`
		Config map[string]string `json:"config"`
	}
)

// Observe implements [probes.Probe]. Without its secret, or without an answer,
// it could not look: the token probe tells why.
func (r Realm) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	secret, err := h.Secret(r.Secret)
	if err != nil {
		return nil, err
	}
	if secret.Missing() {
		return nil, fmt.Errorf("read realm %s: there is no secret %s yet", r.Admin.Realm, r.Secret)
	}
	admin := r.Admin
	admin.Secret = secret
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	var realm realmAnswer
	var clients []clientAnswer
	var scopes []scopeAnswer
	name := url.PathEscape(admin.Realm)
	err = h.AdminGet(within, admin, name, &realm)
	if err == nil {
		err = h.AdminGet(within, admin, name+"/clients", &clients)
	}
	if err == nil {
		err = h.AdminGet(within, admin, name+"/client-scopes", &scopes)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return r.refused(err)
	}
	return r.judge(realm, clients, scopes), nil
}

// refused judges an answer that is an error: some tell of the realm itself.
func (r Realm) refused(err error) ([]probes.Finding, error) {
	var e *host.AdminError
	if !errors.As(err, &e) {
		return nil, err
	}
	got := clip(fmt.Sprintf("%s %s: status %d: %s", e.Method, e.Path, e.Status, e.Body), 300)
	switch {
	case e.Status == http.StatusNotFound && strings.Contains(e.Body, "Realm"):
		return []probes.Finding{r.found(RealmMissing, r.Admin.Realm, "realm "+r.Admin.Realm+" does not exist", evidence("", "the realm", got))}, nil
	case strings.Contains(e.Body, "Realm not enabled"):
		return []probes.Finding{r.found(RealmDisabled, r.Admin.Realm, "realm "+r.Admin.Realm+" is disabled", evidence("", "enabled", got))}, nil
	case e.Status == http.StatusForbidden:
		return []probes.Finding{r.found(TokenClientRejected, r.Admin.Client, "client "+r.Admin.Client+" may not look at the realm any more", evidence("", "realm-admin among the roles of its token", got))}, nil
	case strings.Contains(e.Body, `"invalid_client"`):
		return []probes.Finding{r.found(RealmClientMissing, r.Admin.Client, "client "+r.Admin.Client+" is gone or disabled", evidence("/clients", "client "+r.Admin.Client, got))}, nil
	}
	return nil, err
}

func (r Realm) judge(realm realmAnswer, clients []clientAnswer, scopes []scopeAnswer) []probes.Finding {
	var found []probes.Finding
	name := r.Admin.Realm
	if !realm.Enabled {
		found = append(found, r.found(RealmDisabled, name, "realm "+name+" is disabled", evidence("", "enabled true", "enabled false")))
	}
	if u := realm.Attributes["frontendUrl"]; u != "" {
		found = append(found, r.found(RealmFrontendURL, name, "the realm has a frontend URL of its own, which stands in the issuer",
			evidence("", "no attribute frontendUrl", clip(u, 200))))
	}
	var gone []probes.Evidence
	for _, want := range r.Clients {
		var lacks []probes.Evidence
		i := slices.IndexFunc(clients, func(c clientAnswer) bool { return c.ClientID == want.ID })
		if i < 0 {
			found = append(found, r.found(RealmClientMissing, want.ID, "client "+want.ID+" is gone", evidence("/clients?clientId="+want.ID, "client "+want.ID, "no such client")))
			continue
		}
		if drift := want.drift(clients[i]); len(drift) > 0 {
			found = append(found, r.found(RealmClientDrift, want.ID, "client "+want.ID+" is not set up as logins need it", drift...))
		}
		for _, c := range want.lacks(clients[i], scopes) {
			if c.gone(scopes) {
				gone = c.missing(gone, "/client-scopes", "scope "+c.scope+": "+c.want, "no such mapper in it, or no such scope")
				continue
			}
			lacks = c.missing(lacks, "/clients?clientId="+want.ID, c.want, "no such mapper; default scopes "+clip(fmt.Sprint(sorted(clients[i].Scopes)), 200))
		}
		if len(lacks) > 0 {
			found = append(found, r.found(TokenClaimMissing, want.ID, "tokens for client "+want.ID+" lack claims", lacks...))
		}
	}
	if len(gone) > 0 {
		found = append(found, r.found(TokenClaimMissing, subjectScopes, "the realm's client scopes bring claims to tokens no more", gone...))
	}
	return found
}

// subjectScopes is the subject of claims that are missing for every client at
// once, as their one cause.
const subjectScopes = "scopes"

// missing adds evidence for a missing claim, once.
func (c claim) missing(all []probes.Evidence, path, want, got string) []probes.Evidence {
	e := evidence(path, c.name+": "+want, c.name+": "+got)
	if slices.Contains(all, e) {
		return all
	}
	return append(all, e)
}

// evidence is about one thing below the realm's path.
func evidence(path, want, got string) probes.Evidence {
	return probes.Evidence{Source: path, Want: want, Got: got}
}

// found completes the sources of evidence.
func (r Realm) found(code probes.Code, subject, summary string, all ...probes.Evidence) probes.Finding {
	for i := range all {
		all[i].Source = r.Admin.Public + "/admin/realms/" + r.Admin.Realm + all[i].Source
		all[i].Command = "watchdog probe realm"
	}
	return probes.Finding{Code: code, Subject: subject, Summary: summary, Evidence: all}
}
