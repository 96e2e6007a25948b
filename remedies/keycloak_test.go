package remedies_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// withKeycloak is an installed Keycloak of that version, as keycloak.dist
// leaves it.
func withKeycloak(version string) hosttest.Option {
	return func(m *hosttest.Machine) {
		tree := "/opt/keycloak-" + version
		hosttest.Dir("/etc")(m)
		hosttest.Link("/opt/keycloak", "keycloak-"+version)(m)
		hosttest.File(tree+"/version.txt", "Keycloak - Version "+version+"\n")(m)
		hosttest.File(tree+"/conf/keycloak.conf", "# as unpacked\n")(m)
		hosttest.Node(tree+"/data", remedies.Directory("keycloak", "keycloak", 0o750))(m)
	}
}

func TestKeycloakUser(t *testing.T) {
	r := remedies.KeycloakUser{Server: kcServer()}
	m := remedytest.New()
	remedytest.Suite(t, r, m)
	same(t, "did", []string{"user-add keycloak /opt/keycloak"}, mend(t, r, m))
}

func TestKeycloakDist(t *testing.T) {
	r := remedies.KeycloakDist{Server: kcServer()}
	m := remedytest.New(hosttest.Dir("/opt"))
	m.Archive("keycloak-quarkus-dist-26.7.0.tar.gz", hosttest.File("version.txt", "Keycloak - Version 26.7.0\n"))
	p := plan(t, r, m)
	same(t, "lines", []string{
		"unpack keycloak-quarkus-dist-26.7.0.tar.gz into /opt/keycloak-26.7.0",
		"create /opt/keycloak (link to keycloak-26.7.0)",
		"create /opt/keycloak-26.7.0/data (directory keycloak:keycloak 0750)",
	}, p.Lines())
	want := remedies.Archive{
		Name:   "keycloak-quarkus-dist-26.7.0.tar.gz",
		URL:    "https://repo1.maven.org/maven2/org/keycloak/keycloak-quarkus-dist/26.7.0/keycloak-quarkus-dist-26.7.0.tar.gz",
		SHA256: strings.Repeat("0", 64),
	}
	same(t, "archive", want, p.Steps[0].(remedies.Unpack).Archive)
	remedytest.Suite(t, r, m)
	mend(t, r, m)

	n := m.Get("/opt/keycloak-26.7.0/data")
	n.Owner = "root"
	m.Set("/opt/keycloak-26.7.0/data", n)
	same(t, "data of root's", []string{"set /opt/keycloak-26.7.0/data from directory root:keycloak 0750 to directory keycloak:keycloak 0750"}, plan(t, r, m).Lines())
}

// TestKeycloakDistStays: what is installed is not replaced by another version,
// wherever it is.
func TestKeycloakDistStays(t *testing.T) {
	r := remedies.KeycloakDist{Server: kcServer()}
	again(t, r, remedytest.New(withKeycloak("26.2.5")))
	again(t, r, remedytest.New(
		hosttest.File("/opt/keycloak/version.txt", "Keycloak - Version 25.0.6"),
		hosttest.Node("/opt/keycloak/data", remedies.Directory("keycloak", "keycloak", 0o750)),
	))
}

// TestKeycloakReady: each version has its health somewhere else.
func TestKeycloakReady(t *testing.T) {
	ca := newAuthority()
	status := http.StatusOK
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health/ready" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(status)
	})
	config := ca.config(fqdn)
	https := hosttest.HTTPS(config, handler)
	for version, serve := range map[string]hosttest.Option{
		"26.7.0": hosttest.Serve("[::1]:9000", hosttest.HTTP(handler)),
		"26.4.0": hosttest.Serve("[::1]:9000", hosttest.HTTP(handler)),
		"26.2.5": hosttest.Serve("[::1]:9000", https),
		"25.0.6": hosttest.Serve("[::1]:9000", https),
		"24.0.5": hosttest.Serve("[::1]:8443", https),
	} {
		t.Run(version, func(t *testing.T) {
			h := hosttest.New(withKeycloak(version), serve)
			h.Roots = ca.roots
			status = http.StatusOK
			if err := kcServer().Ready(t.Context(), h); err != nil {
				t.Error(err)
			}
			status = http.StatusServiceUnavailable
			if err := kcServer().Ready(t.Context(), h); err == nil {
				t.Error("ready at status 503")
			}
		})
	}
	h := hosttest.New(withKeycloak("26.7.0"), hosttest.Serve("[::1]:9000", func(c net.Conn) {}))
	if err := kcServer().Ready(t.Context(), h); err == nil {
		t.Error("ready without an answer")
	}
}

// dropIn is a drop-in of keycloak.service.
func dropIn(name, text string) hosttest.Option {
	return hosttest.File("/etc/systemd/system/keycloak.service.d/"+name, text)
}
