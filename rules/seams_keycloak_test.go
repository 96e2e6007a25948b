package rules

import (
	"net/http"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/remedies"
)

// keycloakSeams are those of what overrides Keycloak's configuration, and of a
// port 443 that leads to a listener without TLS.
func keycloakSeams() map[string]seam {
	s := siteForTests()
	environment := keycloak.Environment{Service: "keycloak", Conf: s.Keycloak.Conf()}
	env := remedies.KeycloakEnv{Server: s.keycloakServer()}
	edge := nginx.Config{Address: s.Self.Address, Upstream: s.KeycloakAddr(), Webroot: s.ACME.Webroot}
	conf := remedies.NginxEdge{FQDN: s.Self.FQDN, Address: s.Self.Address, Keycloak: s.KeycloakAddr(), Webroot: s.ACME.Webroot}
	const (
		unit   = "/etc/systemd/system/keycloak.service"
		shared = "[Service]\nEnvironmentFile=/etc/default/keycloak\n"
	)
	on := func(dropIn string, more ...hosttest.Option) []hosttest.Option {
		return append([]hosttest.Option{
			hosttest.File(s.Keycloak.Conf(), "hostname=https://idp.example.org\nhttp-host=::1\n"),
			hosttest.File("/opt/keycloak/version.txt", "Keycloak - Version 26.7.0\n"),
			hosttest.File(unit, "[Service]\nEnvironment=JAVA_HOME=/x\n"), hosttest.File(unit+".d/override.conf", dropIn),
			hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running}),
			hosttest.Serve("[::1]:9000", hosttest.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))),
		}, more...)
	}
	plain := append(nginxWith(""),
		hosttest.File("/etc/nginx/nginx.conf", "events { }\nhttp { include /etc/nginx/conf.d/*.conf; }\ninclude /etc/nginx/stream.conf;\n"),
		hosttest.File("/etc/nginx/stream.conf", "stream { server { listen [::]:443; proxy_pass [::1]:9000; } }\n"),
		hosttest.Serve("[::1]:9000", hosttest.Say("HTTP/1.1 400 Bad Request\r\n\r\n")),
	)
	return map[string]seam{
		"a drop-in overrides":  {environment, env, on("[Service]\nEnvironment=KC_HTTP_HOST=:: A=1\n"), []probes.Code{keycloak.EnvOverridesFile}, nil},
		"two of one variable":  {environment, env, on("[Service]\nEnvironment=KC_HTTP_HOST=::\nEnvironment=KCRAW_HTTP_HOST=::2\n"), []probes.Code{keycloak.EnvOverridesFile}, nil},
		"another file by name": {environment, env, on("[Service]\nEnvironment=KC_CONFIG_FILE=/tmp/x\n"), []probes.Code{keycloak.EnvOverridesFile}, nil},
		"a file of variables, and a drop-in": {
			environment, env, on(shared+"Environment=KC_HTTP_HOST=::\n", hosttest.File("/etc/default/keycloak", "KC_HOSTNAME=x\n")),
			[]probes.Code{keycloak.EnvFileOverrides, keycloak.EnvOverridesFile}, []probes.Code{keycloak.EnvFileOverrides},
		},
		"443 leads to a plain listener": {edge, conf, plain, []probes.Code{nginx.RedirectMissing, nginx.PlainHTTP}, nil},
	}
}
