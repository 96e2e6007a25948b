package remedies_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"watchdog/remedies/remedytest"
)

// object is anything of Keycloak's.
type object = map[string]any

// fakeRealm is one realm: its own fields, and what it has by kind. Scopes are
// assigned by ID.
type fakeRealm struct {
	Fields                                object
	Clients, Scopes, Roles, Users, Groups []object
	Defaults, Optionals                   []string
}

// A fakeKeycloak answers as 26.7 was seen to where that matters to us: a map
// replaces the whole of a realm's and adds to a client's, a client's scopes are
// not set by its own fields, an optional scope is not made a default one, and a
// token is good for as long as its client is there, for the roles it had when it
// was given. Between two requests its state is a value of the machine, which is
// put back with it.
type fakeKeycloak struct {
	m       *remedytest.Machine
	builtin []object // scopes of a new realm
	Realms  map[string]*fakeRealm
	Last    int
}

func newFakeKeycloak(t *testing.T, m *remedytest.Machine) *fakeKeycloak {
	t.Helper()
	k := &fakeKeycloak{m: m}
	data, err := os.ReadFile("realm_scopes.json")
	if err == nil {
		err = json.Unmarshal(data, &k.builtin)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range k.builtin {
		for _, m := range s["protocolMappers"].([]any) {
			delete(m.(object), "optional")
		}
	}
	k.change(func() { k.newRealm(object{"realm": "master", "enabled": true}) })
	return k
}

// change loads the state, lets f work on it, and keeps it.
func (k *fakeKeycloak) change(f func()) {
	k.Realms, k.Last = map[string]*fakeRealm{}, 0
	if now := k.m.Value("keycloak"); now != "" {
		if err := json.Unmarshal([]byte(now), k); err != nil {
			panic(err)
		}
	}
	f()
	data, err := json.Marshal(k)
	if err != nil {
		panic(err)
	}
	k.m.SetValue("keycloak", string(data))
}

func (k *fakeKeycloak) id() string { k.Last++; return fmt.Sprintf("id%d", k.Last) }

func (k *fakeKeycloak) newRealm(fields object) {
	r := &fakeRealm{Fields: fields}
	k.Realms[fields["realm"].(string)] = r
	for _, o := range k.builtin {
		s := k.whole(o)
		r.Scopes, r.Defaults = append(r.Scopes, s), append(r.Defaults, idOf(s))
	}
	if fields["realm"] != "master" {
		k.addClient(r, object{"clientId": "realm-management"})
	}
}

// named gives an object an ID.
func (k *fakeKeycloak) named(v any) object {
	data, _ := json.Marshal(v)
	o := object{}
	_ = json.Unmarshal(data, &o)
	o["id"] = k.id()
	return o
}

// whole gives an object and its mappers IDs.
func (k *fakeKeycloak) whole(v any) object {
	o := k.named(v)
	list, _ := o["protocolMappers"].([]any)
	for i, m := range list {
		list[i] = k.named(m)
	}
	return o
}

func (k *fakeKeycloak) addClient(r *fakeRealm, c object) object {
	c = k.whole(c)
	for _, key := range []string{"defaults", "optionals"} {
		c[key] = append([]string(nil), map[string][]string{"defaults": r.Defaults, "optionals": r.Optionals}[key]...)
	}
	r.Clients = append(r.Clients, c)
	return c
}

// find returns the object whose key has that value.
func find(list []object, key string, value any) object {
	for _, o := range list {
		if o[key] == value {
			return o
		}
	}
	return nil
}

func without(list []object, id string) (out []object) {
	for _, o := range list {
		if o["id"] != id {
			out = append(out, o)
		}
	}
	return out
}

// client finds the service account that a token or a grant is of.
func (k *fakeKeycloak) client(realm, id string) object {
	r := k.Realms[realm]
	if r == nil || r.Fields["enabled"] != true {
		return nil
	}
	return find(r.Clients, "clientId", id)
}

// token is one for a service account, with the roles that it has now.
func (k *fakeKeycloak) token(realm, id string) string {
	roles := ""
	if r := k.Realms[realm]; r != nil {
		roles = fmt.Sprint(find(r.Users, "serviceAccountClientId", id)["clientRoles"])
	}
	return realm + "/" + id + "/" + roles
}

// may reports whether the bearer administers a realm.
func (k *fakeKeycloak) may(bearer, realm string) (status int) {
	own, token, _ := strings.Cut(strings.TrimPrefix(bearer, "Bearer "), "/")
	id, roles, _ := strings.Cut(token, "/")
	c := k.client(own, id)
	if c == nil {
		return http.StatusUnauthorized
	}
	if own == "master" && c["attributes"] != nil {
		return 0
	}
	if own == realm && strings.Contains(roles, "realm-admin") {
		return 0
	}
	return http.StatusForbidden
}

// ServeHTTP answers one request at a time.
func (k *fakeKeycloak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serving.Lock()
	defer serving.Unlock()
	k.change(func() { k.answer(w, r) })
}

var serving sync.Mutex

func (k *fakeKeycloak) answer(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if v != nil {
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	if realm, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/realms/"), "/protocol/openid-connect/token"); ok {
		c := k.client(realm, r.FormValue("client_id"))
		if c == nil || c["secret"] != r.FormValue("client_secret") {
			answer(http.StatusUnauthorized, object{"error": "invalid_client"})
			return
		}
		answer(http.StatusOK, object{"access_token": k.token(realm, r.FormValue("client_id")), "expires_in": 60})
		return
	}
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/admin/realms"), "/")
	realm, rest, _ := strings.Cut(path, "/")
	if status := k.may(r.Header.Get("Authorization"), realm); status != 0 {
		answer(status, object{"error": "no"})
		return
	}
	var body any
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	if realm == "" {
		k.newRealm(body.(object))
		answer(http.StatusCreated, nil)
		return
	}
	site := k.Realms[realm]
	if site == nil {
		answer(http.StatusNotFound, object{"error": "Realm not found."})
		return
	}
	v, ok := k.serve(site, r.Method, strings.Split(rest, "/"), r.URL.Query(), body)
	if !ok {
		answer(http.StatusNotFound, object{"error": "not found: " + path})
		return
	}
	answer(http.StatusOK, v)
}

// serve answers one request below a realm.
func (k *fakeKeycloak) serve(r *fakeRealm, method string, path []string, q url.Values, body any) (any, bool) {
	fields, _ := body.(object)
	switch {
	case path[0] == "" && method == http.MethodGet:
		return r.Fields, true
	case path[0] == "":
		for key, v := range fields {
			r.Fields[key] = v
		}
		return nil, true
	case path[0] == "partialImport":
		return nil, k.partialImport(r, fields)
	case path[0] == "users":
		return k.users(r, method, path[1:])
	case path[0] == "clients":
		return k.clients(r, method, path[1:], q, body)
	case path[0] == "client-scopes":
		return k.scopes(r, method, path[1:], fields)
	case path[0] == "default-default-client-scopes":
		return k.assign(r, method, path[1:], &r.Defaults, &r.Optionals)
	case path[0] == "default-optional-client-scopes":
		return k.assign(r, method, path[1:], &r.Optionals, &r.Defaults)
	case path[0] == "roles":
		return k.roles(r, method, path[1:], fields)
	case path[0] == "groups":
		return k.groups(r, method, path[1:], q, body)
	}
	return nil, false
}
