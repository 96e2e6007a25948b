package remedies

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// scopesJSON are the built-in client scopes that the site's tokens need, as
// Keycloak 26.7 creates them: without "basic" a token has no sub, without
// "email" no e-mail address, without "roles" no audience.
//
//go:embed realm_scopes.json
var scopesJSON []byte

// A scope is a client scope: a set of mappers.
type scope struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Protocol    string            `json:"protocol"`
	Attributes  map[string]string `json:"attributes"`
	Mappers     []mapper          `json:"protocolMappers"`
}

// builtinScopes returns the scopes that a release has.
func builtinScopes(r kcRelease) ([]scope, error) {
	var scopes []scope
	if err := json.Unmarshal(scopesJSON, &scopes); err != nil {
		return nil, fmt.Errorf("read the built-in scopes: %w", err)
	}
	if r.before(kcRelease{25}) { // there every token has its sub
		scopes = slices.DeleteFunc(scopes, func(s scope) bool { return s.Name == "basic" })
	}
	return scopes, nil
}

// realmScopes are the built-in scopes of the realm. A realm that was imported
// with empty scopes of these names has them, and no mapper in them.
type realmScopes struct{ scopes []scope }

func (r realmScopes) String() string { return "client scopes" }

func (r realmScopes) changes(ctx context.Context, api realmAPI) ([]realmChange, error) {
	var got []jsonObject
	if err := api.get(ctx, "client-scopes", &got); err != nil {
		return nil, err
	}
	var out []realmChange
	ids := map[string]string{}
	for _, s := range r.scopes {
		i := slices.IndexFunc(got, func(o jsonObject) bool { return o["name"] == s.Name })
		if i < 0 {
			out = append(out, realmChange{"create scope " + s.Name, http.MethodPost, "client-scopes", s.whole()})
			continue
		}
		id, _ := got[i]["id"].(string)
		ids[s.Name] = id
		changes, err := s.changes(got[i], "client-scopes/"+id)
		if err != nil {
			return nil, err
		}
		out = append(out, changes...)
	}
	defaults, err := r.defaults(ctx, api, ids)
	return append(out, defaults...), err
}

// changes brings an existing scope to what it should be. Only one without any
// mapper gets the optional ones.
func (s scope) changes(got jsonObject, path string) ([]realmChange, error) {
	want, err := fieldsOf(map[string]any{"attributes": s.Attributes})
	if err != nil {
		return nil, err
	}
	diff, what := differing(got, want)
	diff["name"], diff["protocol"] = s.Name, s.Protocol
	out := asOne(what, http.MethodPut, path, diff)
	for i := range out {
		out[i].what = "scope " + s.Name + ": " + out[i].what
	}
	mappers := s.Mappers
	if empty(got["protocolMappers"]) {
		mappers = s.whole().Mappers
	}
	mapping, err := mapperChanges(got["protocolMappers"], mappers, path)
	for i := range mapping {
		mapping[i].what = "scope " + s.Name + ": " + mapping[i].what
	}
	return append(out, mapping...), err
}

// whole is the scope as it is created, every mapper wanted.
func (s scope) whole() scope {
	s.Mappers = slices.Clone(s.Mappers)
	for i := range s.Mappers {
		s.Mappers[i].Optional = false
	}
	return s
}

// defaults makes the scopes those of clients to come.
func (r realmScopes) defaults(ctx context.Context, api realmAPI, ids map[string]string) ([]realmChange, error) {
	has, err := scopeNames(ctx, api, "default-default-client-scopes")
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, s := range r.scopes {
		if ids[s.Name] != "" && !slices.Contains(has, s.Name) {
			missing = append(missing, s.Name)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	optional, err := scopeNames(ctx, api, "default-optional-client-scopes")
	if err != nil {
		return nil, err
	}
	var out []realmChange
	for _, name := range missing {
		id := ids[name]
		out = append(out, defaultScope(name, "default-default-client-scopes/"+id, "default-optional-client-scopes/"+id, slices.Contains(optional, name))...)
	}
	return out, nil
}

func scopeNames(ctx context.Context, api realmAPI, path string) ([]string, error) {
	var list []struct{ Name string }
	if err := api.get(ctx, path, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, nil
}

// scopeIDs returns the IDs of the realm's client scopes by name.
func scopeIDs(ctx context.Context, api realmAPI) (map[string]string, error) {
	var list []struct{ ID, Name string }
	if err := api.get(ctx, "client-scopes", &list); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, s := range list {
		ids[strings.TrimSpace(s.Name)] = s.ID
	}
	return ids, nil
}
