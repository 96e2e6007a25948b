package hands

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

// certificate makes one for a name or address, and a pool that trusts it.
func certificate(t *testing.T, name string, from time.Time) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from.Add(-time.Hour), NotAfter: from.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{name},
	}
	if ip := net.ParseIP(name); ip != nil {
		leaf.DNSNames, leaf.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// keycloak answers as the admin interface does.
type keycloak struct {
	tokens int
	forgot bool // the tokens given so far
	asked  []string
	reply  http.HandlerFunc
}

func (k *keycloak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/token") {
		k.tokens++
		k.forgot = false
		_, _ = io.WriteString(w, `{"access_token":"t","expires_in":60}`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	k.asked = append(k.asked, strings.Join([]string{r.Method, r.Host + r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}, " "))
	if k.forgot {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	k.reply(w, r)
}

func keycloakHands(t *testing.T, k *keycloak) (*Hands, host.Admin) {
	t.Helper()
	config, roots := certificate(t, "idp.example.org", time.Now())
	h := hosttest.New(hosttest.Serve("tcp6 [::1]:8443", hosttest.HTTPS(config, k)))
	h.Roots = roots
	t.Cleanup(h.Close)
	return New(h, Options{}), host.Admin{
		Public: "https://idp.example.org", Dial: "[::1]:8443", Realm: "breath", Client: "watchdog", Secret: host.NewSecret("s3cret"),
	}
}

func TestAdminCreates(t *testing.T) {
	k := &keycloak{reply: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://idp.example.org/admin/realms/breath/clients/4f%2Fa")
		w.WriteHeader(http.StatusCreated)
	}}
	w, a := keycloakHands(t, k)
	at, err := w.Admin(t.Context(), a, http.MethodPost, "breath/clients", map[string]string{"clientId": "x"}, nil)
	if err != nil || at != "breath/clients/4f%2Fa" {
		t.Errorf("Admin = %q, %v", at, err)
	}
	if want := `POST idp.example.org/admin/realms/breath/clients Bearer t application/json {"clientId":"x"}`; k.asked[0] != want {
		t.Errorf("asked %s\n want %s", k.asked[0], want)
	}
	if at, err := w.Admin(t.Context(), a, http.MethodPost, "", map[string]string{"realm": "new"}, nil); err != nil || at == "" {
		t.Errorf("Admin for a realm = %q, %v", at, err)
	}
	if !strings.HasPrefix(k.asked[1], "POST idp.example.org/admin/realms Bearer") {
		t.Errorf("asked %s", k.asked[1])
	}
}

func TestAdminReplies(t *testing.T) {
	k := &keycloak{reply: func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"added":2}`) }}
	w, a := keycloakHands(t, k)
	var reply struct{ Added int }
	if _, err := w.Admin(t.Context(), a, http.MethodPut, "breath", struct{}{}, &reply); err != nil || reply.Added != 2 {
		t.Errorf("Admin = %+v, %v", reply, err)
	}
	if _, err := w.Admin(t.Context(), a, http.MethodDelete, "breath/clients/1", nil, nil); err != nil {
		t.Error(err)
	}
	if want := "DELETE idp.example.org/admin/realms/breath/clients/1 Bearer t  "; k.asked[1] != want {
		t.Errorf("asked %q, want %q", k.asked[1], want)
	}
	var wrong *json.UnmarshalTypeError
	if _, err := w.Admin(t.Context(), a, http.MethodPut, "breath", nil, &[]string{}); !errors.As(err, &wrong) {
		t.Errorf("a reply of another shape = %v", err)
	}
}

func TestAdminRefused(t *testing.T) {
	k := &keycloak{reply: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"errorMessage":"Client s3cret already exists"}`, http.StatusConflict)
	}}
	w, a := keycloakHands(t, k)
	_, err := w.Admin(t.Context(), a, http.MethodPost, "breath/clients", nil, nil)
	if host.AdminStatus(err) != http.StatusConflict || strings.Contains(err.Error(), "s3cret") || len(k.asked) != 1 {
		t.Errorf("Admin = %v after %d requests; want 409, once, without the secret", err, len(k.asked))
	}
}

// A token that the server forgot is replaced and the request made once more; a
// new one that is refused too is the answer.
func TestAdminTokenForgotten(t *testing.T) {
	k := &keycloak{reply: func(http.ResponseWriter, *http.Request) {}}
	w, a := keycloakHands(t, k)
	for i := range 2 {
		if _, err := w.Admin(t.Context(), a, http.MethodPut, "breath", nil, nil); err != nil || k.tokens != i+1 {
			t.Errorf("Admin = %v with %d tokens; want %d", err, k.tokens, i+1)
		}
		k.forgot = true
	}
	k.reply = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	k.asked = nil
	if _, err := w.Admin(t.Context(), a, http.MethodPut, "breath", nil, nil); host.AdminStatus(err) != 401 || len(k.asked) != 2 {
		t.Errorf("Admin = %v after %d requests; want 401 after 2", err, len(k.asked))
	}
}

func TestAdminRefusesToAsk(t *testing.T) {
	k := &keycloak{}
	w, a := keycloakHands(t, k)
	for _, call := range [][2]string{
		{"GET", "breath"}, {"PATCH", "breath"}, {"POST", "/admin/realms/breath"}, {"PUT", "breath/../master"}, {"DELETE", ""}, {"DELETE", "breath"}, {"PUT", ""},
	} {
		if _, err := w.Admin(t.Context(), a, call[0], call[1], nil, nil); err == nil || len(k.asked)+k.tokens > 0 {
			t.Errorf("%s %q = %v; want that it is not asked", call[0], call[1], err)
		}
	}
}
