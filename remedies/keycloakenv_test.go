package remedies_test

import (
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func kcEnv() remedies.KeycloakEnv { return remedies.KeycloakEnv{Server: kcServer()} }

// overridden is an installed Keycloak that was restarted with these files.
func overridden(t *testing.T, opts ...hosttest.Option) *remedytest.Machine {
	t.Helper()
	m := kcMachine("26.7.0", options26...)
	mend(t, kcConf(), m)
	m.Change(opts...)
	for _, d := range []remedies.Do{{Verb: remedies.Reread}, {Verb: remedies.Restart, Unit: "keycloak.service"}} {
		if err := d.Do(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestKeycloakEnv: of a foreign drop-in only the variables go that override the
// file, from every drop-in that sets them.
func TestKeycloakEnv(t *testing.T) {
	const d = "/etc/systemd/system/keycloak.service.d/"
	m := overridden(t,
		dropIn("10-tuning.conf", "# ours\n[Service]\nEnvironment=KC_LOG_LEVEL=debug \"KC_HOSTNAME=https://old.example.org\" A=1\nLimitCORE=0\n"),
		dropIn("override.conf", "[Service]\nEnvironment=KCRAW_HOSTNAME=https://new.example.org\nEnvironment=KC_DB_PASSWORD=hunter22\nEnvironment=KC_HTTP_HOST=::1\n"),
		dropIn("readme.txt", "KC_HOSTNAME=x"),
	)
	unit := content(m, "/etc/systemd/system/keycloak.service")
	p := plan(t, kcEnv(), m)
	same(t, "lines", []string{"change " + d + "10-tuning.conf", "change " + d + "override.conf", "daemon-reload", "restart keycloak.service"}, p.Lines())
	if diff := p.Diff(); !strings.Contains(diff, "-Environment=KCRAW_HOSTNAME=https://new.example.org") {
		t.Errorf("who is to approve does not see what goes:\n%s", diff)
	}
	remedytest.Suite(t, kcEnv(), m, "hunter22")
	mend(t, kcEnv(), m)
	again(t, kcEnv(), m)
	for name, want := range map[string]string{
		d + "10-tuning.conf":                   "# ours\n[Service]\nEnvironment=KC_LOG_LEVEL=debug A=1\nLimitCORE=0\n",
		d + "override.conf":                    "[Service]\nEnvironment=KC_HTTP_HOST=::1\n",
		d + "readme.txt":                       "KC_HOSTNAME=x",
		"/etc/systemd/system/keycloak.service": unit,
	} {
		same(t, name, want, content(m, name))
	}
}

// TestKeycloakEnvRestarts: a server that still runs with what nobody sets any
// more is restarted, and nothing else is done.
func TestKeycloakEnvRestarts(t *testing.T) {
	m := overridden(t)
	m.Change(
		hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running, PID: 7}),
		hosttest.File("/proc/7/environ", "PATH=/bin\x00KC_HTTP_HOST=::\x00"),
	)
	same(t, "lines", []string{"restart keycloak.service"}, plan(t, kcEnv(), m).Lines())
}

// TestKeycloakEnvLeavesAlone: what does not override the file, what others may
// read, and what another remedy writes.
func TestKeycloakEnvLeavesAlone(t *testing.T) {
	again(t, kcEnv(), remedytest.New())
	for name, opts := range map[string][]hosttest.Option{
		"none":          nil,
		"says the same": {dropIn("a.conf", "[Service]\nEnvironment=KC_HTTP_HOST=::1\n")},
		"in a file of variables": {
			dropIn("a.conf", "[Service]\nEnvironment=KC_HTTP_HOST=127.0.0.1\nEnvironmentFile=/etc/default/keycloak\n"), hosttest.File("/etc/default/keycloak", "KC_HTTP_HOST=::\n"),
		},
		"in its own unit": {hosttest.File("/etc/systemd/system/keycloak.service", "[Service]\nEnvironment=KC_HTTP_HOST=::\n")},
	} {
		t.Run(name, func(t *testing.T) { again(t, kcEnv(), overridden(t, opts...)) })
	}
}
