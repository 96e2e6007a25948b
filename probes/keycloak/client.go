package keycloak

import (
	"fmt"
	"slices"

	"watchdog/probes"
)

// pkce is the attribute that makes a client insist on PKCE, and pkceMethod the
// only method that is one.
const (
	pkce       = "pkce.code.challenge.method"
	pkceMethod = "S256"
)

// drift compares a client with what it has to be, one piece of evidence for
// each attribute.
func (c Client) drift(got clientAnswer) []probes.Evidence {
	logins := len(c.Redirects) > 0
	var out []probes.Evidence
	differ := func(attribute string, want, is any) {
		if w, g := fmt.Sprint(want), fmt.Sprint(is); w != g {
			out = append(out, evidence("/clients?clientId="+c.ID, attribute+" "+clip(w, 300), attribute+" "+clip(g, 300)))
		}
	}
	differ("enabled", true, got.Enabled)
	differ("publicClient", c.Public, got.Public)
	differ("serviceAccountsEnabled", c.ServiceAccount, got.ServiceAccount)
	differ("implicitFlowEnabled", false, got.Implicit)
	differ("directAccessGrantsEnabled", false, got.Direct)
	differ("fullScopeAllowed", c.FullScope, got.FullScope)
	if logins {
		differ("standardFlowEnabled", true, got.Standard)
		differ(pkce, pkceMethod, got.Attributes[pkce])
	}
	differ("redirectUris", sorted(c.Redirects), sorted(got.Redirects))
	return out
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// lacks names the claims that the client's tokens do not get: from its own
// mappers and those of the scopes it has by default. An import that brings
// scopes of its own replaces the built-in ones, and these claims are gone.
func (c Client) lacks(got clientAnswer, scopes []scopeAnswer) []probes.Evidence {
	mappers := slices.Clone(got.Mappers)
	for _, s := range scopes {
		if slices.Contains(got.Scopes, s.Name) {
			mappers = append(mappers, s.Mappers...)
		}
	}
	var out []probes.Evidence
	need := func(claim, want string, is func(mapper) bool) {
		if !slices.ContainsFunc(mappers, is) {
			out = append(out, evidence("/clients?clientId="+c.ID, claim+": "+want,
				fmt.Sprintf("%s: no such mapper; default scopes %s", claim, clip(fmt.Sprint(sorted(got.Scopes)), 200))))
		}
	}
	need("sub", "a mapper of kind oidc-sub-mapper for access tokens (scope basic)", func(m mapper) bool {
		return m.Kind == "oidc-sub-mapper" && m.Config["access.token.claim"] == "true"
	})
	if len(c.Redirects) > 0 {
		need("email", "a mapper of claim email for ID tokens (scope email)", func(m mapper) bool {
			return m.Config["claim.name"] == "email" && m.Config["id.token.claim"] == "true"
		})
	}
	if c.Audience {
		need("aud", "a mapper of kind oidc-audience-mapper for "+c.ID, func(m mapper) bool {
			return m.Kind == "oidc-audience-mapper" && m.Config["included.client.audience"] == c.ID && m.Config["access.token.claim"] == "true"
		})
	}
	if c.Groups {
		need("groups", "a mapper of kind oidc-group-membership-mapper", func(m mapper) bool {
			return m.Kind == "oidc-group-membership-mapper" && m.Config["id.token.claim"] == "true"
		})
	}
	return out
}
