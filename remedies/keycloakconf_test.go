package remedies_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"watchdog/probes/format/properties"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const password = "db-password-of-43-characters"

var options26 = []string{
	"hostname", "hostname-admin", "hostname-strict", "http-enabled", "http-host", "https-port",
	"https-certificate-file", "https-certificate-key-file", "https-certificates-reload-period",
	"health-enabled", "metrics-enabled", "http-management-host", "http-management-port", "http-management-scheme",
	"db", "db-url", "db-username", "db-password", "cache", "log-console-color",
}

// kcReady is a Keycloak that answers on its management port.
func kcReady(m *hosttest.Machine) {
	hosttest.Serve("[::1]:9000", hosttest.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})))(m)
}

// kcMachine has an unpacked Keycloak that knows these options and, once built,
// gets ready.
func kcMachine(version string, options ...string) *remedytest.Machine {
	m := remedytest.New(withKeycloak(version), withSecret("keycloak-db", password), kcReady)
	m.Handle("kc-help", func(remedies.Command) ([]byte, error) {
		out := ""
		for _, k := range options {
			out += "--" + k + " <value>\n    What it does.\n"
		}
		return []byte(out), nil
	})
	return m
}

func kcConf() remedies.KeycloakConf { return remedies.KeycloakConf{Server: kcServer()} }

const (
	confPath  = "/etc/keycloak/keycloak.conf"
	unitPath  = "/etc/systemd/system/keycloak.service"
	buildPath = "/opt/keycloak-26.7.0/watchdog-build"
)

func TestKeycloakConf(t *testing.T) {
	m := kcMachine("26.7.0", options26...)
	same(t, "lines", []string{
		"create /etc/keycloak (directory root:keycloak 0750)",
		"create /etc/keycloak/certs (directory keycloak:keycloak 0750)",
		"create " + confPath + " (root:keycloak 0640)",
		"change /opt/keycloak-26.7.0/conf/keycloak.conf",
		"create " + unitPath + " (root:root 0644)",
		"create " + buildPath + " (root:root 0644)",
		"daemon-reload", "build Keycloak", "restart keycloak.service",
	}, plan(t, kcConf(), m).Lines())
	remedytest.Suite(t, kcConf(), m)
	same(t, "did", []string{"kc-help", "daemon-reload", "kc-build", "restart keycloak.service"}, mend(t, kcConf(), m))
	same(t, "link", confPath, content(m, "/opt/keycloak-26.7.0/conf/keycloak.conf"))
	want, err := os.ReadFile("testdata/keycloak.conf")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "keycloak.conf", string(want), content(m, confPath))
	unit := content(m, unitPath)
	for _, line := range []string{
		"After=network-online.target postgresql@15-main.service", "User=keycloak", "Type=exec",
		"ExecStart=/opt/keycloak/bin/kc.sh start --optimized", `Environment="JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m"`,
		"Environment=JAVA_HOME=" + m.Host().Facts.Layout.JavaHome, "SuccessExitStatus=143",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q", line)
		}
	}
	if strings.Contains(unit, "Restart=") {
		t.Error("the unit restarts by itself")
	}
}

// TestKeycloakConfFollows: what changed decides what has to be done, each thing
// once.
func TestKeycloakConfFollows(t *testing.T) {
	tests := map[string]struct {
		file, old, new string
		want           []string
	}{
		"an option": {confPath, "http-host=::1", "http-host=localhost", []string{"restart keycloak.service"}},
		"another's": {confPath, "db=postgres", "db=postgres\nfeatures=preview", []string{"restart keycloak.service"}},
		"the unit":  {unitPath, "UMask=0027\n", "", []string{"daemon-reload", "restart keycloak.service"}},
		// A build option that differs from what was built, or is there no more.
		"what was built":      {buildPath, "metrics-enabled=true", "metrics-enabled=false", []string{"build Keycloak", "restart keycloak.service"}},
		"what was built more": {buildPath, "db=postgres", "db=postgres\nfeatures=preview", []string{"build Keycloak", "restart keycloak.service"}},
		"by another version":  {buildPath, "version=26.7.0", "version=26.2.5", []string{"build Keycloak", "restart keycloak.service"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := kcMachine("26.7.0", options26...)
			mend(t, kcConf(), m)
			n := m.Get(tt.file)
			if !strings.Contains(string(n.Data), tt.old) {
				t.Fatalf("%s lacks %q", tt.file, tt.old)
			}
			n.Data = []byte(strings.Replace(string(n.Data), tt.old, tt.new, 1))
			m.Set(tt.file, n)
			if err := m.Service(t.Context(), "keycloak.service", remedies.Restart); err != nil {
				t.Fatal(err)
			}
			same(t, "lines", append([]string{"change " + tt.file}, tt.want...), plan(t, kcConf(), m).Lines())
			remedytest.Suite(t, kcConf(), m)
		})
	}
}

// TestKeycloakConfFailed: a unit that failed may have used up its starts.
func TestKeycloakConfFailed(t *testing.T) {
	m := kcMachine("26.7.0", options26...)
	m.Change(hosttest.Unit("keycloak.service", host.Failed))
	lines := plan(t, kcConf(), m).Lines()
	if i := slices.Index(lines, "reset-failed keycloak.service"); i < 0 || lines[i+1] != "restart keycloak.service" {
		t.Errorf("planned %q", lines)
	}
}

func TestKeycloakConfWaits(t *testing.T) {
	p := plan(t, kcConf(), remedytest.New(hosttest.Dir("/etc"), hosttest.Dir("/opt")))
	same(t, "waits", []string{"secret keycloak-db"}, p.Waits)
	if p.Empty() {
		t.Error("nothing to show of a bare host")
	}
}

// TestKeycloakConfGate: options that the installed program does not know are
// not started with.
func TestKeycloakConfGate(t *testing.T) {
	m := kcMachine("26.7.0", options26[3:]...)
	before := m.State()
	err := plan(t, kcConf(), m).Apply(t.Context(), m, m.Host(), nil)
	if err == nil || !strings.Contains(err.Error(), "does not know hostname, hostname-admin, hostname-strict") {
		t.Errorf("applied with error %v", err)
	}
	same(t, "files", before.Nodes, m.Nodes())
}

// TestKeycloakConfPutBack: a running server whose new configuration does not
// start runs again with the old one.
func TestKeycloakConfPutBack(t *testing.T) {
	m := kcMachine("26.7.0", options26...)
	mend(t, kcConf(), m)
	old := m.Get(confPath)
	old.Data = bytes.Replace(old.Data, []byte("http-host=::1"), []byte("http-host=localhost"), 1)
	m.Set(confPath, old)
	m.HandleStart(func(string) error {
		if !m.Get(confPath).Equal(old) {
			return errors.New("exit status 1")
		}
		return nil
	})
	if err := plan(t, kcConf(), m).Apply(t.Context(), m, m.Host(), nil); err == nil {
		t.Error("applied without error")
	}
	same(t, "keycloak.conf", string(old.Data), content(m, confPath))
	same(t, "the server", host.Running, m.Units()["keycloak.service"].State)
}

// TestKeycloakDialects: each version gets the options it knows, and no other:
// what it does not know it ignores in silence.
func TestKeycloakDialects(t *testing.T) {
	tests := map[string]struct{ has, lacks []string }{
		"24.0.5": {
			[]string{"hostname-url", "hostname-admin-url", "http-host", "health-enabled", "db"},
			[]string{"hostname", "hostname-admin", "metrics-enabled", "http-management-host", "http-management-port", "http-management-scheme", "https-certificates-reload-period"},
		},
		"25.0.6": {
			[]string{"hostname", "hostname-admin", "metrics-enabled", "http-management-host", "http-management-port"},
			[]string{"hostname-url", "hostname-admin-url", "http-management-scheme", "https-certificates-reload-period"},
		},
		"26.0.8": {
			[]string{"hostname", "https-certificates-reload-period", "http-management-host", "metrics-enabled"},
			[]string{"hostname-url", "http-management-scheme"},
		},
		"26.3.9": {[]string{"https-certificates-reload-period"}, []string{"http-management-scheme"}},
		"26.4.0": {[]string{"http-management-scheme"}, []string{"hostname-url"}},
		"27.1.0": {[]string{"http-management-scheme", "hostname"}, []string{"hostname-url"}},
	}
	for version, tt := range tests {
		t.Run(version, func(t *testing.T) {
			m := kcMachine(version)
			for _, e := range plan(t, kcConf(), m).Edits {
				if err := e.Do(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			f, err := properties.Parse([]byte(content(m, confPath)))
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range tt.has {
				if _, ok := f.Get(key); !ok {
					t.Errorf("lacks %s", key)
				}
			}
			for _, key := range tt.lacks {
				if _, ok := f.Get(key); ok {
					t.Errorf("has %s", key)
				}
			}
			if !strings.Contains(content(m, "/opt/keycloak-"+version+"/watchdog-build"), "version="+version+"\n") {
				t.Error("what was built is not of this version")
			}
		})
	}
}

// TestKeycloakConfBootstrap: credentials of the first administrator are taken
// out of where Keycloak is started from, and nothing is restarted for it.
func TestKeycloakConfBootstrap(t *testing.T) {
	m := kcMachine("26.7.0", options26...)
	mend(t, kcConf(), m)
	m.Change(
		dropIn("override.conf", "[Service]\nEnvironment=KEYCLOAK_ADMIN=director\nEnvironment=KEYCLOAK_ADMIN_PASSWORD=hunter22\nLimitCORE=0\n"),
		dropIn("mixed.conf", "[Service]\n Environment = A=1 \"KC_BOOTSTRAP_ADMIN_PASSWORD=hunter 23\" 'B=2 3'\nEnvironmentFile=-/etc/keycloak/env\n"),
		dropIn("readme.txt", "KEYCLOAK_ADMIN=x"),
		hosttest.File("/usr/lib/systemd/system/keycloak.service", "[Service]\nEnvironment=KEYCLOAK_ADMIN=director\nEnvironment=KEYCLOAK_ADMIN_PASSWORD=hunter24\n"),
		hosttest.Link("/run/systemd/system/keycloak.service", "/dev/null"),
		hosttest.File("/etc/keycloak/env", "FOO=bar\n  KC_BOOTSTRAP_ADMIN_USERNAME='director'\n"),
		hosttest.File("/etc/default/keycloak", "export KEYCLOAK_ADMIN=director\n# KEYCLOAK_ADMIN=kept\n"),
	)
	remedytest.Suite(t, kcConf(), m, "hunter22", "hunter 23", "hunter24")
	same(t, "did", []string{"daemon-reload"}, mend(t, kcConf(), m))
	again(t, kcConf(), m)
	const d = "/etc/systemd/system/keycloak.service.d/"
	for name, want := range map[string]string{
		d + "override.conf":                        "[Service]\nLimitCORE=0\n",
		d + "mixed.conf":                           "[Service]\n Environment = A=1 'B=2 3'\nEnvironmentFile=-/etc/keycloak/env\n",
		d + "readme.txt":                           "KEYCLOAK_ADMIN=x",
		"/usr/lib/systemd/system/keycloak.service": "[Service]\n",
		"/etc/keycloak/env":                        "FOO=bar\n",
		"/etc/default/keycloak":                    "# KEYCLOAK_ADMIN=kept\n",
	} {
		same(t, name, want, content(m, name))
	}
}
