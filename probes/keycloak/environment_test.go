package keycloak

import (
	"errors"
	"io/fs"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func TestEnvironment(t *testing.T) {
	const (
		conf   = "/etc/keycloak/keycloak.conf"
		unit   = "/etc/systemd/system/keycloak.service"
		dropIn = unit + ".d/override.conf"
	)
	on := func(own, over string, more ...hosttest.Option) []hosttest.Option {
		return append([]hosttest.Option{
			hosttest.File(conf, "hostname=https://idp.example.org\nhttp-host=::1\ndb-url=jdbc:postgresql://[::1]/keycloak\ndb-password="+probetest.Secret+"\n"),
			hosttest.File(unit, "[Service]\n"+own),
			hosttest.File(dropIn, "# by hand\n[Service]\n"+over),
		}, more...)
	}
	runs := func(environ string) hosttest.Option {
		return func(m *hosttest.Machine) {
			hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running, PID: 7})(m)
			hosttest.File("/proc/7/environ", environ)(m)
		}
	}
	probetest.Suite{
		Probe: Environment{Service: "keycloak", Conf: conf},
		Cases: map[string]probetest.Case{
			"none":          {Host: on("Environment=JAVA_HOME=/x\n", "LimitCORE=0\n")},
			"says the same": {Host: on("", "Environment=KC_HTTP_HOST=::1\n")},
			"its own unit":  {Host: on("Environment=KC_HTTP_HOST=::\n", "")},
			"overrides": {
				Host: on("", "Environment=A=1 \"KC_HOSTNAME=https://idp.example.org:8443\"\n"), Want: []string{"keycloak.env-overrides-file KC_HOSTNAME"},
				Says: []string{dropIn + ":3", "hostname=https://idp.example.org of " + conf, "KC_HOSTNAME=https://idp.example.org:8443"},
			},
			"two": {
				Host: on("", "Environment=KC_HTTP_HOST=:: KCRAW_HOSTNAME=x\n"),
				Want: []string{"keycloak.env-overrides-file KC_HOSTNAME", "keycloak.env-overrides-file KC_HTTP_HOST"}, Says: []string{"KCRAW_HOSTNAME=x"},
			},
			"a password":    {Host: on("", "Environment=KC_DB_PASSWORD="+probetest.Secret+"2\n"), Want: []string{"keycloak.env-overrides-file KC_DB_PASSWORD"}, Says: []string{"with another value"}},
			"one in a URL":  {Host: on("", "Environment=KC_DB_URL=jdbc:postgresql://db/x?password="+probetest.Secret+"\n"), Want: []string{"keycloak.env-overrides-file KC_DB_URL"}, Says: []string{"password=[redacted]"}},
			"another file":  {Host: on("", "Environment=KC_CONFIG_FILE=/tmp/x\n"), Want: []string{"keycloak.env-overrides-file KC_CONFIG_FILE"}, Says: []string{"another file than keycloak.conf"}},
			"in their file": {Host: on("EnvironmentFile=-/etc/default/keycloak\n", "", hosttest.File("/etc/default/keycloak", "\nKC_HTTP_HOST=\"::\"\n")), Want: []string{"keycloak.env-file-overrides KC_HTTP_HOST"}, Says: []string{"/etc/default/keycloak:2"}},
			"still running": {
				Host: on("", "Environment=KC_HTTP_HOST=::1\n", runs("PATH=/bin\x00KC_HTTP_HOST=::\x00")), Want: []string{"keycloak.env-overrides-file KC_HTTP_HOST"},
				Says: []string{"/proc/7/environ", "still runs with KC_HTTP_HOST"},
			},
			"not yet running":     {Host: on("", "Environment=KC_HTTP_HOST=::\n", runs("PATH=/bin\x00")), Want: []string{"keycloak.env-overrides-file KC_HTTP_HOST"}, Says: []string{dropIn + ":3"}},
			"running, its own":    {Host: on("Environment=KC_HTTP_HOST=::\n", "", runs("KC_HTTP_HOST=::\x00"))},
			"not to be looked at": {Host: on("", "", runs(""), hosttest.Unreadable("/proc/7/environ", fs.ErrPermission))},
			"no manager":          {Host: on("", "", hosttest.NoInit(errors.New("no manager"))), Err: "no manager"},
			"no configuration":    {Host: []hosttest.Option{hosttest.File(unit, "[Service]\n")}, Err: "keycloak.conf"},
			"unreadable":          {Host: on("", "", hosttest.Unreadable(dropIn, fs.ErrPermission)), Err: "permission denied"},
		},
	}.Run(t)
}
