package remedies

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// realmClient is one client of the realm.
type realmClient struct {
	client RealmClient
	scopes []scope // the built-in ones, which it has by default
	// account marks the engine's own: it logs nobody in, and is not made here.
	account bool
}

// accountClient is the engine's service account as a client: what it needs for
// its tokens to say whose they are and for whom.
func accountClient(id string, scopes []scope) realmClient {
	return realmClient{RealmClient{ID: id, ServiceAccount: true, Audience: true, FullScope: true}, scopes, true}
}

// clientFields is what the site says of a client. Its secret is Keycloak's own.
type clientFields struct {
	ClientID       string            `json:"clientId"`
	Protocol       string            `json:"protocol"`
	Enabled        bool              `json:"enabled"`
	Public         bool              `json:"publicClient"`
	ServiceAccount bool              `json:"serviceAccountsEnabled"`
	StandardFlow   bool              `json:"standardFlowEnabled"`
	ImplicitFlow   bool              `json:"implicitFlowEnabled"`
	DirectGrants   bool              `json:"directAccessGrantsEnabled"`
	FullScope      bool              `json:"fullScopeAllowed"`
	RootURL        string            `json:"rootUrl"`
	Redirects      []string          `json:"redirectUris"`
	WebOrigins     []string          `json:"webOrigins"`
	Attributes     map[string]string `json:"attributes"`
}

func (c RealmClient) fields() clientFields {
	return clientFields{
		ClientID: c.ID, Protocol: "openid-connect", Enabled: true,
		Public: c.Public, ServiceAccount: c.ServiceAccount, StandardFlow: true,
		FullScope: c.FullScope, RootURL: c.RootURL, Redirects: c.Redirects,
		WebOrigins: []string{origin(c.RootURL)},
		Attributes: map[string]string{
			"pkce.code.challenge.method": "S256",
			"post.logout.redirect.uris":  c.PostLogout,
		},
	}
}

// origin is a URL's scheme and host.
func origin(root string) string {
	u, err := url.Parse(root)
	if err != nil || u.Host == "" {
		return root
	}
	return u.Scheme + "://" + u.Host
}

// mappers are the client's own, beside those of its scopes.
func (c RealmClient) mappers() []mapper {
	var out []mapper
	if c.Audience {
		out = append(out, mapper{
			Name: "aud-" + c.ID, Protocol: "openid-connect", Kind: "oidc-audience-mapper",
			Config: map[string]string{
				"included.client.audience": c.ID,
				"access.token.claim":       "true", "id.token.claim": "false", "introspection.token.claim": "true",
			},
		})
	}
	if c.Groups {
		out = append(out, mapper{
			Name: "groups", Protocol: "openid-connect", Kind: "oidc-group-membership-mapper",
			Config: map[string]string{
				"claim.name": "groups", "full.path": "false",
				"access.token.claim": "true", "id.token.claim": "true",
				"introspection.token.claim": "true", "userinfo.token.claim": "true",
			},
		})
	}
	return out
}

func (r realmClient) String() string { return "client " + r.client.ID }

func (r realmClient) changes(ctx context.Context, api realmAPI) ([]realmChange, error) {
	want, err := fieldsOf(r.client.fields())
	if err != nil {
		return nil, err
	}
	if r.account {
		want["standardFlowEnabled"] = false
		for _, unused := range []string{"rootUrl", "redirectUris", "webOrigins", "attributes"} {
			delete(want, unused)
		}
	}
	var found []jsonObject
	if err := api.get(ctx, "clients?clientId="+url.QueryEscape(r.client.ID), &found); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		want["protocolMappers"] = r.client.mappers()
		return []realmChange{{"create it", http.MethodPost, "clients", want}}, nil
	}
	got := found[0]
	id, _ := got["id"].(string)
	path := "clients/" + id
	diff, what := differing(got, want)
	diff["clientId"] = r.client.ID
	out := asOne(what, http.MethodPut, path, diff)
	mapping, err := mapperChanges(got["protocolMappers"], r.client.mappers(), path)
	if err != nil {
		return nil, err
	}
	assign, err := r.assign(ctx, api, got, path)
	return append(append(out, mapping...), assign...), err
}

// assign gives the client the built-in scopes that it lacks. One that it has as
// optional is no default one until that is taken away.
func (r realmClient) assign(ctx context.Context, api realmAPI, got jsonObject, path string) ([]realmChange, error) {
	has, _ := stringsOf(got["defaultClientScopes"])
	optional, _ := stringsOf(got["optionalClientScopes"])
	missing := func(s scope) bool { return !slices.Contains(has, s.Name) }
	if !slices.ContainsFunc(r.scopes, missing) {
		return nil, nil
	}
	ids, err := scopeIDs(ctx, api)
	if err != nil {
		return nil, err
	}
	var out []realmChange
	for _, s := range r.scopes {
		if !missing(s) {
			continue
		}
		// One that does not exist yet is created before the client's turn.
		id := cmp.Or(ids[s.Name], s.Name)
		out = append(out, defaultScope(s.Name, path+"/default-client-scopes/"+id, path+"/optional-client-scopes/"+id, slices.Contains(optional, s.Name))...)
	}
	return out, nil
}

// defaultScope makes a scope a default one, after it is no optional one.
func defaultScope(name, path, optionalPath string, optional bool) []realmChange {
	put := realmChange{"make scope " + name + " a default one", http.MethodPut, path, nil}
	if optional {
		return []realmChange{{"scope " + name + " is optional", http.MethodDelete, optionalPath, nil}, put}
	}
	return []realmChange{put}
}

// A mapper puts something into tokens.
type mapper struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	Kind     string `json:"protocolMapper"`
	// Optional ones come with a new scope and are not missed in an old one.
	Optional bool              `json:"optional,omitempty"`
	Config   map[string]string `json:"config"`
}

// mapperChanges brings the mappers that path has to what they should be;
// others stay.
func mapperChanges(got any, want []mapper, path string) ([]realmChange, error) {
	list, _ := got.([]any)
	path += "/protocol-mappers/models"
	var out []realmChange
	for _, m := range want {
		var old jsonObject
		for _, e := range list {
			if o, ok := e.(map[string]any); ok && o["name"] == m.Name {
				old = o
			}
		}
		if old == nil {
			if !m.Optional {
				out = append(out, realmChange{"create mapper " + m.Name, http.MethodPost, path, m})
			}
			continue
		}
		wanted, err := fieldsOf(map[string]any{"config": m.Config})
		if err != nil {
			return nil, err
		}
		diff, what := differing(old, wanted)
		if m.Optional || len(what) == 0 {
			continue
		}
		old["config"] = diff["config"]
		id, _ := old["id"].(string)
		out = append(out, realmChange{"mapper " + m.Name + ": " + strings.Join(what, ", "), http.MethodPut, path + "/" + id, old})
	}
	return out, nil
}
