package remedies_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// kcSite is a host with a Keycloak that runs and knows nobody yet.
func kcSite(t *testing.T) (*remedytest.Machine, *fakeKeycloak) {
	t.Helper()
	ca := newAuthority()
	m := remedytest.New(withKeycloak("26.7.0"), kcReady,
		withSecret("keycloak-admin", "admin-password"), withSecret("keycloak-service", "service-secret"))
	k := newFakeKeycloak(t, m)
	m.Host().Roots = ca.roots
	m.Change(hosttest.Serve("[::1]:8443", hosttest.HTTPS(ca.config(fqdn), k)),
		hosttest.Answer("is_temporary_admin", func(string, ...any) (rows [][]string, err error) {
			k.change(func() {
				master := k.Realms["master"]
				for _, o := range append(append([]object{}, master.Users...), master.Clients...) {
					if o["temporary"] == true || o["attributes"] != nil {
						rows = [][]string{{"1"}}
					}
				}
			})
			return rows, nil
		}))
	m.Handle("kc-bootstrap-service", func(c remedies.Command) ([]byte, error) {
		k.change(func() {
			k.addClient(k.Realms["master"], object{
				"clientId": c.Args[0], "secret": c.Env["WATCHDOG_SECRET"].Reveal(), "attributes": object{"is_temporary_admin": "true"},
			})
		})
		// Seen to end so with its work done.
		return nil, errors.New("exit status 1")
	})
	m.HandleAdmin(func(method, path string, body, _ any) (string, error) {
		data, err := json.Marshal(body)
		if err != nil {
			return "", err
		}
		req := httptest.NewRequest(method, "/admin/realms/"+path, bytes.NewReader(data))
		req.Header.Set("Authorization", k.bearer())
		w := httptest.NewRecorder()
		k.ServeHTTP(w, req)
		if w.Code > 299 {
			return "", &host.AdminError{Status: w.Code, Method: method, Path: path, Body: w.Body.String()}
		}
		return "", nil
	})
	return m, k
}

// bearer is the strongest token that anybody could get.
func (k *fakeKeycloak) bearer() (token string) {
	k.change(func() {
		token = "Bearer " + k.token("breath", "watchdog")
		for _, c := range k.Realms["master"].Clients {
			if c["attributes"] != nil {
				token = "Bearer " + k.token("master", c["clientId"].(string))
			}
		}
	})
	return token
}

func kcRealm() remedies.RealmSite {
	return remedies.RealmSite{
		Name: "breath", Display: "Breath Technology", Account: "watchdog", AdminsGroup: "admins",
		Clients: []remedies.RealmClient{{
			ID: "ollama-gw", ServiceAccount: true, RootURL: "https://ollama.example.org",
			Redirects: []string{"https://ollama.example.org/oauth2/callback"}, PostLogout: "+", Audience: true, Groups: true,
		}, {
			ID: "ha-bridge", Public: true, RootURL: "https://ha.example.org", Redirects: []string{"https://ha.example.org/*"}, PostLogout: "+", FullScope: true,
		}},
		Roles:       []remedies.RealmRole{{Name: "admin", Description: "Realm admin"}, {Name: "user", Description: "Standard user"}},
		AccessToken: 30 * time.Minute, SessionIdle: 10 * time.Hour, SessionMax: 24 * time.Hour,
	}
}

func kcAdmin() remedies.KeycloakAdmin {
	return remedies.KeycloakAdmin{Server: kcServer(), Realm: kcRealm(), User: "director", Password: "keycloak-admin", Service: "keycloak-service"}
}

// kcProper checks what has to be there when all is done, and what must not.
func kcProper(t *testing.T, k *fakeKeycloak) {
	t.Helper()
	again(t, kcAdmin(), k.m)
	k.change(func() {
		master := k.Realms["master"]
		if len(master.Clients) != 0 {
			t.Errorf("master keeps clients %v", master.Clients)
		}
		if len(master.Users) != 1 || master.Users[0]["username"] != "director" || master.Users[0]["temporary"] != nil {
			t.Errorf("master has users %v", master.Users)
		}
		if k.client("breath", "watchdog") == nil || !strings.Contains(k.token("breath", "watchdog"), "realm-admin") {
			t.Error("no service account that administers the realm")
		}
	})
	if n := k.m.Get(host.SecretDir + "/" + remedies.SecretBootstrap); n != nil {
		t.Error("the bootstrap's secret stays")
	}
}

func TestKeycloakAdmin(t *testing.T) {
	m, k := kcSite(t)
	same(t, "lines", []string{"make administrator director and service account watchdog of realm breath"}, plan(t, kcAdmin(), m).Lines())
	mend(t, kcAdmin(), m)
	kcProper(t, k)
	k.change(func() {
		c := k.Realms["master"].Users[0]["credentials"].([]any)[0].(object)
		same(t, "password", any("admin-password"), c["value"])
	})
}

// TestKeycloakAdminKilled: whenever it is killed, the next run finishes, and
// leaves nothing of the first behind.
func TestKeycloakAdminKilled(t *testing.T) {
	calls := 0
	for _, kind := range []remedytest.Kind{remedytest.FailBefore, remedytest.FailAfter} {
		for n := 1; ; n++ {
			m, k := kcSite(t)
			ctx, cancel := m.Strike(t.Context(), remedytest.Fault{Call: n, Kind: kind, Stay: true})
			err := plan(t, kcAdmin(), m).Apply(ctx, m, m.Host(), nil)
			cancel()
			if len(m.Calls()) < n {
				calls = max(calls, n-1)
				break
			}
			if !errors.Is(err, remedytest.ErrFault) {
				t.Fatalf("call %d %s: applied with error %v", n, kind, err)
			}
			m.Strike(t.Context(), remedytest.Fault{})
			mend(t, kcAdmin(), m)
			kcProper(t, k)
		}
	}
	if calls < 7 {
		t.Errorf("it took only %d calls", calls)
	}
}

// TestKeycloakAdminHeals: whatever keeps the service account out is mended, and
// what people made stays.
func TestKeycloakAdminHeals(t *testing.T) {
	for name, harm := range map[string]func(k *fakeKeycloak){
		"realm disabled":    func(k *fakeKeycloak) { k.Realms["breath"].Fields["enabled"] = false },
		"client deleted":    func(k *fakeKeycloak) { k.Realms["breath"].Clients = k.Realms["breath"].Clients[:1] },
		"another secret":    func(k *fakeKeycloak) { k.client("breath", "watchdog")["secret"] = "x" },
		"its role taken":    func(k *fakeKeycloak) { k.Realms["breath"].Users[0]["clientRoles"] = nil },
		"realm deleted":     func(k *fakeKeycloak) { delete(k.Realms, "breath") },
		"a rescuer is left": func(k *fakeKeycloak) { k.addUser("master", object{"username": "rescue-1", "temporary": true}) },
		"a bootstrap is left": func(k *fakeKeycloak) {
			k.addClient(k.Realms["master"], object{"clientId": "watchdog-bootstrap-0", "attributes": object{"is_temporary_admin": "true"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, k := kcSite(t)
			mend(t, kcAdmin(), m)
			var director any
			k.change(func() {
				k.addUser("breath", object{"username": "alice"})
				director = k.Realms["master"].Users[0]["id"]
				harm(k)
			})
			mend(t, kcAdmin(), m)
			kcProper(t, k)
			k.change(func() {
				same(t, "the administrator", director, k.Realms["master"].Users[0]["id"])
				if name != "realm deleted" && find(k.Realms["breath"].Users, "username", "alice") == nil {
					t.Error("alice is gone")
				}
			})
		})
	}
}

// TestKeycloakAdminGuide: an administrator made by the environment is
// temporary, and its password was seen by others: it is made anew.
func TestKeycloakAdminGuide(t *testing.T) {
	m, k := kcSite(t)
	k.change(func() { k.addUser("master", object{"username": "director", "temporary": true}) })
	mend(t, kcAdmin(), m)
	kcProper(t, k)
}

func TestKeycloakAdminWaits(t *testing.T) {
	p := plan(t, kcAdmin(), remedytest.New())
	same(t, "waits", []string{"secret keycloak-admin", "secret keycloak-service"}, p.Waits)
}

// TestKeycloakAdminUnreachable: before there is a Keycloak the step is planned;
// one that does not answer could not be looked at. Neither is a reason to
// bootstrap.
func TestKeycloakAdminUnreachable(t *testing.T) {
	m, _ := kcSite(t)
	m.Change(hosttest.Refuse("[::1]:8443", os.ErrDeadlineExceeded))
	p := plan(t, kcAdmin(), m)
	same(t, "steps", 1, len(p.Steps))
	if err := p.Apply(t.Context(), m, m.Host(), nil); err == nil || len(m.Calls()) != 0 {
		t.Errorf("applied with error %v after %s", err, m.Called())
	}
	for _, s := range []host.UnitState{host.Running, host.Stopped, host.Failed} {
		m.Change(hosttest.Unit("keycloak.service", s))
		for _, r := range []remedies.Remedy{kcAdmin(), realm()} {
			if p, err := r.Plan(t.Context(), m.Host()); err == nil {
				t.Errorf("%s of a service that is %s planned %q", r.Spec().ID, s, p.Lines())
			}
		}
	}
}

// addUser gives a realm a user.
func (k *fakeKeycloak) addUser(realm string, u object) {
	k.Realms[realm].Users = append(k.Realms[realm].Users, k.named(u))
}

// forget makes the host forget its token, as time would.
func forget(m *remedytest.Machine) {
	m.Host().AdminForget(host.Admin{
		Public: kcServer().Public, Dial: "[::1]:8443", Realm: "breath", Client: "watchdog", Secret: host.NewSecret("service-secret"),
	})
}
