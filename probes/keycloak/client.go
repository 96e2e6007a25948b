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

// A claim is what applications need of a token, and what brings it.
type claim struct {
	name, want string
	// scope is the built-in client scope that brings it to every client; empty
	// where the client's own mappers do.
	scope string
	is    func(mapper) bool
}

func (c claim) in(all []mapper) bool { return slices.ContainsFunc(all, c.is) }

var (
	claimSub = claim{"sub", "a mapper of kind oidc-sub-mapper for access tokens", "basic", func(m mapper) bool {
		return m.Kind == "oidc-sub-mapper" && m.Config["access.token.claim"] == "true"
	}}
	claimEmail = claim{"email", "a mapper of claim email for ID tokens", "email", func(m mapper) bool {
		return m.Config["claim.name"] == "email" && m.Config["id.token.claim"] == "true"
	}}
	claimGroups = claim{"groups", "a mapper of kind oidc-group-membership-mapper", "", func(m mapper) bool {
		return m.Kind == "oidc-group-membership-mapper" && m.Config["id.token.claim"] == "true"
	}}
)

// claims are those that the client's tokens need.
func (c Client) claims() []claim {
	out := []claim{claimSub}
	if len(c.Redirects) > 0 {
		out = append(out, claimEmail)
	}
	if c.Audience {
		out = append(out, claim{"aud", "a mapper of kind oidc-audience-mapper for " + c.ID, "", func(m mapper) bool {
			return m.Kind == "oidc-audience-mapper" && m.Config["included.client.audience"] == c.ID && m.Config["access.token.claim"] == "true"
		}})
	}
	if c.Groups {
		out = append(out, claimGroups)
	}
	return out
}

// lacks returns the claims that the client's tokens do not get: from its own
// mappers and those of the scopes it has by default.
func (c Client) lacks(got clientAnswer, scopes []scopeAnswer) []claim {
	mappers := slices.Clone(got.Mappers)
	for _, s := range scopes {
		if slices.Contains(got.Scopes, s.Name) {
			mappers = append(mappers, s.Mappers...)
		}
	}
	return slices.DeleteFunc(c.claims(), func(k claim) bool { return k.in(mappers) })
}

// gone reports whether the scope that brings a claim to every client does so no
// more: it was deleted, its mapper was, or an import brought an empty one of its
// name.
func (c claim) gone(scopes []scopeAnswer) bool {
	return c.scope != "" && !slices.ContainsFunc(scopes, func(s scopeAnswer) bool { return s.Name == c.scope && c.in(s.Mappers) })
}
