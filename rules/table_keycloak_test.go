package rules

import "testing"

// TestRootCauses holds the graph to what was seen on a real stack: of all that
// a fault shows up as, only the fault itself is a cause.
func TestRootCauses(t *testing.T) {
	const (
		issuerDown = "issuer.unreachable public,issuer.unreachable local"
		pgDown     = "postgres.down server,postgres.down socket,postgres.down 127.0.0.1,postgres.down ::1"
		pgHung     = "postgres.hung server,postgres.hung socket,postgres.hung 127.0.0.1,postgres.hung ::1"
		kcGone     = "keycloak.unreachable," + issuerDown + ",token.unavailable watchdog,edge.closed"
		noDB       = "keycloak.not-ready database,token.unavailable watchdog"
		plain      = "tls.plain-http keycloak,tls.plain-http nginx,token.unavailable watchdog"
		rejected   = "postgres.password-rejected socket,postgres.password-rejected 127.0.0.1,postgres.password-rejected ::1"
	)
	for _, c := range []struct{ name, causes, seen string }{
		{"PostgreSQL stopped", "service.stopped postgresql", pgDown + "," + noDB},
		{"PostgreSQL stopped, seen before its unit is", "postgres.down socket", pgDown + "," + noDB},
		{"PostgreSQL stopped, and Keycloak restarted into it", "service.stopped postgresql",
			pgDown + ",service.dead keycloak,keycloak.start-failed database," + kcGone},
		{"PostgreSQL frozen", "postgres.hung socket", pgHung + ",keycloak.hung,token.unavailable watchdog"},
		{"PostgreSQL stuck", "service.stuck postgresql", pgHung + "," + noDB},
		{"PostgreSQL without ::1", "postgres.not-listening-v6 ::1", noDB + ",service.dead keycloak,keycloak.start-failed database," + kcGone},
		{"hba line missing", "postgres.no-hba-entry ::1", noDB},
		{"hba trust", "postgres.auth-trust socket", "postgres.auth-trust 127.0.0.1,postgres.auth-trust ::1"},
		{"hba trust over TCP", "postgres.auth-trust 127.0.0.1", "postgres.auth-trust ::1"},
		{"hba clear", "postgres.auth-cleartext socket", "postgres.auth-cleartext ::1,postgres.login-refused socket,postgres.login-refused ::1," + noDB},
		{"password changed", "postgres.password-drift keycloak", rejected + "," + noDB},
		{"password changed, catalogue unseen", "postgres.password-rejected socket", rejected + "," + noDB},
		{"role gone", "postgres.role-missing keycloak", rejected + "," + noDB},
		{"role may not log in", "postgres.role-nologin keycloak", noDB},
		{"database gone", "postgres.database-missing keycloak", noDB + ",issuer.server-error public,issuer.server-error local"},
		{"database emptied", "keycloak.schema-missing keycloak", noDB + ",issuer.server-error public,issuer.server-error local"},
		{"no connection left", "postgres.too-many-connections server", "postgres.too-many-connections socket,postgres.too-many-connections 127.0.0.1," + noDB + ",token.client-rejected watchdog"},
		{"the role's own limit", "postgres.too-many-connections socket", "postgres.too-many-connections 127.0.0.1,postgres.too-many-connections ::1," + noDB},
		{"tables of another", "postgres.not-owner keycloak", "token.unavailable watchdog,issuer.server-error public,issuer.server-error local"},
		{"data of an older server", "postgres.major-mismatch 13", "service.dead postgresql," + pgDown + "," + noDB + ",token.unavailable watchdog"},
		{"data of an older server, and it is stopped", "postgres.major-mismatch 13", "service.stopped postgresql," + pgDown + "," + noDB},
		{"start waits for a lock", "keycloak.schema-locked keycloak", "keycloak.not-ready starting,token.unavailable watchdog,issuer.unreachable local,edge.closed"},
		{"disk full", "host.disk-full /var/lib/postgresql", pgHung + "," + noDB + ",service.stuck postgresql"},

		{"Keycloak killed", "service.dead keycloak", kcGone},
		{"Keycloak masked", "service.masked keycloak", kcGone},
		{"Keycloak killed, edge hung", "service.dead keycloak", kcGone + ",edge.hung,tls.plain-http nginx"},
		{"Keycloak starting", "keycloak.not-ready starting", issuerDown + ",token.unavailable watchdog,edge.closed"},
		{"Keycloak frozen", "keycloak.hung", issuerDown + ",token.unavailable watchdog,edge.hung"},
		{"Keycloak's option rejected", "keycloak.config-rejected --hostname-url", "service.dead keycloak," + kcGone},
		{"Keycloak given up on for memory", "keycloak.out-of-memory keycloak", "service.start-limit-hit keycloak," + kcGone},
		{"Keycloak's port taken", "listener.taken 8443", "service.dead keycloak,keycloak.unreachable,issuer.untrusted public,issuer.untrusted local,token.unavailable watchdog"},
		{"Keycloak's port taken by plain HTTP", "listener.taken 8443", "service.dead keycloak,keycloak.unreachable," + plain},
		{"Keycloak can't read its key and is dead", "cert.copy-unreadable pair", "keycloak.certs-unreadable /etc/keycloak/certs/privkey.pem,service.dead keycloak," + kcGone},
		{"Keycloak can't read its key and runs on", "cert.copy-unreadable pair", ""},
		{"Keycloak bound to all", "listener.public keycloak", ""},
		{"Keycloak bound to all, restarting", "listener.public keycloak,keycloak.not-ready starting", issuerDown + ",token.unavailable watchdog,edge.closed"},
		{"Keycloak speaks plain HTTP", "tls.plain-http keycloak", plain},
		{"stream to a plain listener", "tls.plain-http nginx", ""},
		{"stream to nobody, plain a moment ago", "edge.wrong-upstream /etc/nginx/stream.conf:6", "tls.plain-http nginx"},

		{"a drop-in's hostname", "keycloak.env-overrides-file KC_HOSTNAME", "issuer.port-leak local,issuer.port-leak public,token.claim-missing iss"},
		{"a drop-in's hostname, another's fault", "keycloak.env-overrides-file KC_HOSTNAME,tls.plain-http keycloak", "tls.plain-http nginx,token.unavailable watchdog"},
		{"a hostname in a file of variables", "keycloak.env-file-overrides KC_HOSTNAME", "issuer.wrong-path local,issuer.wrong-path public,token.claim-missing iss"},
		{"a drop-in's public bind", "keycloak.env-overrides-file KC_HTTP_HOST", "listener.public keycloak"},
		{"a drop-in's value refused", "keycloak.env-overrides-file KC_HTTPS_PORT", "keycloak.config-rejected KC_HTTPS_PORT,service.dead keycloak," + kcGone},
		{"a drop-in's variable, and the file refused", "keycloak.env-overrides-file KC_HTTPS_PORT,keycloak.config-rejected kc.log-level", "service.dead keycloak," + kcGone},
		{"a drop-in's build option", "keycloak.env-overrides-file KC_HEALTH_ENABLED", "keycloak.config-rejected kc.health-enabled,service.dead keycloak," + kcGone},
		{"another configuration file", "keycloak.env-overrides-file KC_CONFIG_FILE", "issuer.port-leak local,issuer.port-leak public,listener.public keycloak"},

		{"NGINX stopped", "service.stopped nginx", "edge.refused,issuer.unreachable public,acme.port-80-blocked"},
		{"NGINX does not start over its configuration", "nginx.config-invalid /etc/nginx/stream.conf:3", "service.dead nginx,edge.refused,issuer.unreachable public,acme.port-80-blocked"},
		{"stream include gone", "edge.stream-missing /etc/nginx/nginx.conf", "edge.refused,issuer.unreachable public"},
		{"wrong upstream", "edge.wrong-upstream /etc/nginx/stream.conf:6", "edge.closed,issuer.unreachable public"},
		{"public address gone", "host.address-missing 2001:db8::1", "edge.refused,issuer.unreachable public"},
		{"firewall flushed", "firewall.missing", ""},
		{"two at once", "service.stopped postgresql,service.stopped nginx", pgDown + "," + noDB + ",edge.refused,issuer.unreachable public"},

		{"frontend URL", "realm.frontend-url breath", "issuer.wrong-path public,issuer.wrong-path local,token.claim-missing iss"},
		{"hostname without scheme", "issuer.port-leak local", "issuer.port-leak public"},
		{"hostname is http", "issuer.plain-http local", "issuer.plain-http public,token.unavailable watchdog"},
		{"scopes emptied", "token.claim-missing scopes", "token.claim-missing sub"},
		{"own client without scope basic", "token.claim-missing sub", ""},
		{"scope roles emptied", "token.claim-missing aud", "token.client-rejected watchdog"},
		{"realm disabled", "realm.disabled breath", "token.unavailable watchdog"},
		{"realm gone with the database", "postgres.database-missing keycloak", "realm.missing breath,realm.client-missing watchdog," + noDB},
		{"own client gone", "realm.client-missing watchdog", "token.client-rejected watchdog"},
		{"certificate of another name", "cert.name-mismatch idp.example.org", "issuer.untrusted public,issuer.untrusted local,token.unavailable watchdog"},
	} {
		t.Run(c.name, func(t *testing.T) { wantCauses(t, c.causes, c.seen) })
	}
}
