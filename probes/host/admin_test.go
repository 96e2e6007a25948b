package host_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

// keycloak is a token endpoint and an admin interface.
type keycloak struct {
	tokens  int    // issued
	valid   string // the token that is taken
	lasting int    // seconds
	reply   func(w http.ResponseWriter, r *http.Request)
	asked   []string
}

func (k *keycloak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.asked = append(k.asked, r.Method+" "+r.Host+r.URL.RequestURI())
	if r.URL.Path == "/realms/breath/protocol/openid-connect/token" {
		if r.Method != http.MethodPost || r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "watchdog" || r.FormValue("client_secret") != "s3cret&" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"unauthorized_client","got":%q}`, r.FormValue("client_secret"))
			return
		}
		k.tokens++
		k.valid = fmt.Sprintf("token-%d", k.tokens)
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d,"token_type":"Bearer"}`, k.valid, k.lasting)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+k.valid {
		http.Error(w, `{"error":"HTTP 401 Unauthorized"}`, http.StatusUnauthorized)
		return
	}
	k.reply(w, r)
}

func admins(t *testing.T, k *keycloak) (*hosttest.Machine, *host.Host, host.Admin) {
	t.Helper()
	config, roots := certificate(public)
	m := hosttest.NewMachine(hosttest.Serve("tcp6 [::1]:8443", hosttest.HTTPS(config, k)))
	h := m.Host()
	h.Roots = roots
	t.Cleanup(h.Close)
	return m, h, host.Admin{Public: "https://" + public, Dial: "[::1]:8443", Realm: "breath", Client: "watchdog", Secret: host.NewSecret("s3cret&")}
}

func TestAdminGet(t *testing.T) {
	k := &keycloak{lasting: 60, reply: func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `[{"clientId":"x"}]`) }}
	m, h, a := admins(t, k)
	for range 2 {
		var reply []struct{ ClientID string }
		if err := h.AdminGet(t.Context(), a, "breath/clients?clientId=x", &reply); err != nil || len(reply) != 1 || reply[0].ClientID != "x" {
			t.Fatalf("got %v, %v", reply, err)
		}
	}
	if k.tokens != 1 {
		t.Errorf("took %d tokens, want 1", k.tokens)
	}
	if want := "GET idp.example.org/admin/realms/breath/clients?clientId=x"; k.asked[1] != want {
		t.Errorf("asked %s, want %s", k.asked[1], want)
	}
	// A token is used until 10 s before its end.
	m.Pass(49 * time.Second)
	if err := h.AdminGet(t.Context(), a, "breath", nil); err != nil || k.tokens != 1 {
		t.Errorf("after 49 s: %v, %d tokens", err, k.tokens)
	}
	m.Pass(time.Second)
	if err := h.AdminGet(t.Context(), a, "breath", nil); err != nil || k.tokens != 2 {
		t.Errorf("after 50 s: %v, %d tokens; want 2", err, k.tokens)
	}
	// One that the server no longer knows is replaced, once.
	k.valid = "another"
	if err := h.AdminGet(t.Context(), a, "breath", nil); err != nil || k.tokens != 3 {
		t.Errorf("after a reset: %v, %d tokens; want 3", err, k.tokens)
	}
	other := a
	other.Secret = host.NewSecret("wrong")
	if _, err := h.AdminToken(t.Context(), other); host.AdminStatus(err) != http.StatusUnauthorized {
		t.Errorf("another secret got the kept token: %v", err)
	}
}

func TestAdminErrors(t *testing.T) {
	k := &keycloak{lasting: 60}
	_, h, a := admins(t, k)
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	k.reply = answer(http.StatusForbidden, strings.Repeat("é", 600))
	err := h.AdminGet(t.Context(), a, "breath/users", nil)
	var e *host.AdminError
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.Method != "GET" || e.Path != "/admin/realms/breath/users" || len(e.Body) > 512 || !strings.HasPrefix(e.Body, "éé") {
		t.Errorf("got %#v", err)
	}
	k.reply = answer(http.StatusUnauthorized, "no")
	k.asked = nil
	if err := h.AdminGet(t.Context(), a, "breath", nil); host.AdminStatus(err) != http.StatusUnauthorized || len(k.asked) != 3 {
		t.Errorf("got %v after %q; want 401 after two requests and one token", err, k.asked)
	}
	for name, tt := range map[string]struct{ body, want string }{
		"not JSON":       {"<html>", "decode the answer"},
		"endless answer": {`"` + strings.Repeat("x", 4<<20), "more than 4194304 bytes"},
	} {
		k.reply = answer(http.StatusOK, tt.body)
		var reply any
		if err := h.AdminGet(t.Context(), a, "breath", &reply); err == nil || !strings.Contains(err.Error(), tt.want) || host.AdminStatus(err) != 0 {
			t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
		}
	}
	k.reply = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/realms/breath", http.StatusFound) }
	if err := h.AdminGet(t.Context(), a, "breath", nil); host.AdminStatus(err) != http.StatusFound {
		t.Errorf("redirect: %v, want status 302", err)
	}
}

func TestAdminTokenRefused(t *testing.T) {
	k := &keycloak{}
	m, h, a := admins(t, k)
	a.Secret = host.NewSecret("planted")
	_, err := h.AdminToken(t.Context(), a)
	var e *host.AdminError
	if !errors.As(err, &e) || e.Status != http.StatusUnauthorized || e.Path != "/realms/breath/protocol/openid-connect/token" {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "planted") || !strings.Contains(e.Body, "[redacted]") {
		t.Errorf("the error tells the secret: %v", err)
	}
	if len(k.asked) != 1 {
		t.Errorf("asked %d times, want once: a refused secret is not tried again", len(k.asked))
	}
	m.Change(hosttest.Refuse("tcp6 [::1]:8443", nil))
	h.Close()
	if _, err := h.AdminToken(t.Context(), a); err == nil || host.AdminStatus(err) != 0 {
		t.Errorf("nobody there: %v", err)
	}
}
