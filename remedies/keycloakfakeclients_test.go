package remedies_test

import (
	"net/http"
	"net/url"
	"slices"
)

// partialImport skips or replaces what is there already, by name.
func (k *fakeKeycloak) partialImport(r *fakeRealm, body object) bool {
	overwrite := body["ifResourceExists"] == "OVERWRITE"
	add := func(list *[]object, key string, entries any, make func(object)) {
		all, _ := entries.([]any)
		for _, e := range all {
			o := e.(object)
			if old := find(*list, key, o[key]); old != nil {
				if !overwrite {
					continue
				}
				*list = without(*list, old["id"].(string))
			}
			make(o)
		}
	}
	add(&r.Clients, "clientId", body["clients"], func(o object) { k.addClient(r, o) })
	add(&r.Users, "username", body["users"], func(o object) { r.Users = append(r.Users, k.named(o)) })
	return true
}

// users lists the temporary ones, the only ones that are asked for.
func (k *fakeKeycloak) users(r *fakeRealm, method string, path []string) (any, bool) {
	if method == http.MethodDelete {
		r.Users = without(r.Users, path[0])
		return nil, true
	}
	out := []object{}
	for _, u := range r.Users {
		if u["temporary"] == true {
			out = append(out, u)
		}
	}
	return out, true
}

func (k *fakeKeycloak) clients(r *fakeRealm, method string, path []string, q url.Values, body any) (any, bool) {
	fields, _ := body.(object)
	if len(path) == 0 {
		if method == http.MethodPost {
			k.addClient(r, fields)
			return nil, true
		}
		out := []object{}
		for _, c := range r.Clients {
			if id := q.Get("clientId"); id == "" || c["clientId"] == id {
				out = append(out, r.shown(c))
			}
		}
		return out, true
	}
	c := find(r.Clients, "id", path[0])
	switch {
	case c == nil:
		return nil, false
	case len(path) == 1 && method == http.MethodDelete:
		r.Clients = without(r.Clients, path[0])
		r.Users = without(r.Users, idOf(find(r.Users, "serviceAccountClientId", c["clientId"])))
		return nil, true
	case len(path) == 1:
		put(c, fields)
		return nil, true
	case path[1] == "roles":
		return object{"id": "role-" + path[2], "name": path[2]}, true
	case path[1] == "protocol-mappers":
		return k.mappers(c, method, path[3:], fields)
	}
	defaults, optionals := texts(c["defaults"]), texts(c["optionals"])
	own, other := &defaults, &optionals
	if path[1] == "optional-client-scopes" {
		own, other = other, own
	}
	v, ok := k.assign(r, method, path[2:], own, other)
	c["defaults"], c["optionals"] = defaults, optionals
	return v, ok
}

// texts is a list of strings, as it was made or as it was read back.
func texts(v any) []string {
	out := []string{}
	switch v := v.(type) {
	case []string:
		out = v
	case []any:
		for _, e := range v {
			out = append(out, e.(string))
		}
	}
	return out
}

func idOf(o object) string {
	id, _ := o["id"].(string)
	return id
}

// shown is a client as it is read: with the names of its scopes.
func (r *fakeRealm) shown(c object) object {
	out := object{}
	for key, v := range c {
		out[key] = v
	}
	for key, ids := range map[string]any{"defaultClientScopes": c["defaults"], "optionalClientScopes": c["optionals"]} {
		names := []string{}
		for _, id := range texts(ids) {
			if s := find(r.Scopes, "id", id); s != nil {
				names = append(names, s["name"].(string))
			}
		}
		out[key] = names
	}
	return out
}

// put changes a client or a scope: attributes are added to, all else replaced.
func put(o, fields object) {
	for key, v := range fields {
		attributes, isMap := v.(object)
		had, _ := o[key].(object)
		if !isMap || had == nil {
			o[key] = v
			continue
		}
		for k, v := range attributes {
			had[k] = v
		}
	}
}

func (k *fakeKeycloak) mappers(o object, method string, path []string, fields object) (any, bool) {
	list, _ := o["protocolMappers"].([]any)
	if method == http.MethodPost {
		o["protocolMappers"] = append(list, k.named(fields))
		return nil, true
	}
	for i, m := range list {
		if idOf(m.(object)) == path[0] {
			list[i] = fields
			return nil, true
		}
	}
	return nil, false
}

// assign lists scopes, adds one unless it is among the other ones, or removes
// one.
func (k *fakeKeycloak) assign(r *fakeRealm, method string, path []string, own, other *[]string) (any, bool) {
	if method == http.MethodGet {
		out := []object{}
		for _, id := range *own {
			if s := find(r.Scopes, "id", id); s != nil {
				out = append(out, s)
			}
		}
		return out, true
	}
	id := path[0]
	if find(r.Scopes, "id", id) == nil {
		return nil, false
	}
	if method == http.MethodDelete {
		*own = slices.DeleteFunc(*own, func(s string) bool { return s == id })
		return nil, true
	}
	if !slices.Contains(*other, id) && !slices.Contains(*own, id) {
		*own = append(*own, id)
	}
	return nil, true
}

func (k *fakeKeycloak) scopes(r *fakeRealm, method string, path []string, fields object) (any, bool) {
	switch {
	case len(path) == 0 && method == http.MethodPost:
		r.Scopes = append(r.Scopes, k.whole(fields))
		return nil, true
	case len(path) == 0:
		return r.Scopes, true
	}
	s := find(r.Scopes, "id", path[0])
	switch {
	case s == nil:
		return nil, false
	case len(path) > 1:
		return k.mappers(s, method, path[3:], fields)
	}
	put(s, fields)
	return nil, true
}

func (k *fakeKeycloak) roles(r *fakeRealm, method string, path []string, fields object) (any, bool) {
	if len(path) == 0 {
		r.Roles = append(r.Roles, k.named(fields))
		return nil, true
	}
	role := find(r.Roles, "name", path[0])
	if role != nil && method == http.MethodPut {
		put(role, fields)
	}
	return role, role != nil
}

func (k *fakeKeycloak) groups(r *fakeRealm, method string, path []string, q url.Values, body any) (any, bool) {
	if len(path) == 0 {
		if method == http.MethodPost {
			g := k.named(body)
			g["realmRoles"], g["clientRoles"] = []any{}, object{}
			r.Groups = append(r.Groups, g)
			return nil, true
		}
		out := []object{}
		if g := find(r.Groups, "name", q.Get("search")); g != nil {
			out = append(out, g)
		}
		return out, true
	}
	g := find(r.Groups, "id", path[0])
	if g == nil || len(path) == 1 {
		return g, g != nil
	}
	for _, role := range body.([]any) {
		name := role.(object)["name"].(string)
		if path[2] == "realm" {
			g["realmRoles"] = append(g["realmRoles"].([]any), name)
			continue
		}
		id := find(r.Clients, "id", path[3])["clientId"].(string)
		roles := g["clientRoles"].(object)
		roles[id] = append(texts(roles[id]), name)
	}
	return nil, true
}
