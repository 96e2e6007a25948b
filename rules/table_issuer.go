package rules

import (
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/certs"
	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/probes/system"
)

const (
	public = string(keycloak.Public)
	local  = string(keycloak.Local)

	askPublic = "curl -sS -m 5 https://NAME/realms/REALM/.well-known/openid-configuration"
	askLocal  = "curl -sS -m 5 --connect-to '::[::1]:8443' https://NAME:8443/realms/REALM/.well-known/openid-configuration"
)

// fromLocal makes what is wrong at Keycloak's own listener explain the same at
// the public one: the edge passes through what it gets.
func fromLocal(code probes.Code) []Ref { return []Ref{{Code: code, Subject: local, When: public}} }

// edgeOff is what keeps the public port from leading to Keycloak.
func edgeOff() []Ref {
	return slices.Concat(off("nginx"),
		by(nginx.ConfigInvalid, nginx.StreamMissing, nginx.CSPConflict, nginx.WrongUpstream, system.AddressMissing, system.AddressDADFailed),
		[]Ref{On(nginx.ListenerTaken, "443")})
}

// at limits edges to one side of the issuer.
func at(side string, refs ...Ref) []Ref {
	out := slices.Clone(refs)
	for i := range out {
		out[i].When = side
	}
	return out
}

// badCertificate is what makes clients refuse the certificate.
func badCertificate() []Ref {
	return by(certs.NameMismatch, certs.ChainIncomplete, certs.KeyMismatch, certs.Expiring, certs.ServedStale, certs.Missing)
}

// issuerTable holds the faults of the issuer as clients see it: the discovery
// document, and the way to it.
var issuerTable = []Rule{
	{
		Code: keycloak.IssuerUnreachable, Title: "The issuer can't be reached", Severity: Critical,
		Explain: "Nobody gets the issuer's discovery document at the {subject} listener, so no application can log anybody in. At the public " +
			"one NGINX may be away, or accept and find nobody behind it; at the local one it is Keycloak itself.",
		DependsOn: slices.Concat(
			keycloakOff(), by(keycloak.Unreachable, keycloak.Hung, keycloak.NotReady),
			fromLocal(keycloak.IssuerUnreachable), at(public, edgeOff()...),
			at(public, by(nginx.EdgeRefused, nginx.EdgeHung, nginx.EdgeClosed)...), overriddenAt(local, "KC_HTTP_HOST", "KC_HTTPS_PORT"),
		),
		For:      10 * time.Second,
		Remedies: []string{"nginx.conf", "keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{askPublic, askLocal, "ss -ltnp 'sport = :443 or sport = :8443'"},
	},
	{
		Code: keycloak.IssuerUntrusted, Title: "Clients refuse the issuer's certificate", Severity: Critical,
		Explain: "The handshake at the {subject} listener fails over the certificate: it has ended, names another host, lacks its issuer's, or its " +
			"key is another's. Keycloak itself says that it is ready all the while.",
		// A certificate that was put right is served within half a minute.
		For:       40 * time.Second,
		DependsOn: slices.Concat(badCertificate(), by(system.ClockSkew), fromLocal(keycloak.IssuerUntrusted), at(public, by(nginx.CSPConflict, nginx.StreamMissing)...), []Ref{On(nginx.ListenerTaken, "8443"), {Code: nginx.ListenerTaken, Subject: "443", When: public}}),
		Remedies:  []string{"certs.copy", "service.keycloak.restart"},
		Fix:       []string{"openssl s_client -connect '[::1]:8443' -servername NAME </dev/null | openssl x509 -noout -dates -ext subjectAltName", "certbot certificates"},
	},
	{
		Code: keycloak.IssuerError, Title: "Keycloak fails to serve its discovery document", Severity: Critical,
		Explain: "Keycloak answers with an error of its own where the discovery document should be: as a rule it can't read its database. Once " +
			"read, the document comes from a cache, so this is seen after a start.",
		DependsOn: slices.Concat(by(keycloak.NotReady, keycloak.Hung, keycloak.SchemaMissing), by(noDatabase()...), fromLocal(keycloak.IssuerError)),
		For:       2 * time.Minute,
		Remedies:  []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:       []string{askLocal, seeKeycloak, "systemctl restart keycloak"},
	},
	{
		Code: keycloak.IssuerPortLeak, Title: "The issuer carries a port", Severity: Critical,
		Explain: "The issuer names a port that no client asked for, so tokens carry another issuer than applications expect. keycloak.conf has a " +
			"hostname without scheme: the issuer is then made of whatever a request says. It has to be the whole URL.",
		DependsOn: append(fromLocal(keycloak.IssuerPortLeak), overridden("KC_HOSTNAME", "KC_HOSTNAME_STRICT")...),
		// The file may have been put right since it was read.
		Remedies: []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{"grep -n ^hostname /etc/keycloak/keycloak.conf    # wanted: hostname=https://NAME", "systemctl restart keycloak"},
		Drill:    "kc-issuer-port",
	},
	{
		Code: keycloak.IssuerPlainHTTP, Title: "The issuer begins with http://", Severity: Critical,
		Explain: "The issuer is a plain HTTP address: applications that want https refuse it, and those that don't send codes and tokens in clear. " +
			"The hostname in keycloak.conf begins with http://, or is no full URL and Keycloak was asked over a plain listener. A realm that wants " +
			"TLS of everybody then refuses every request, over TLS too.",
		DependsOn: append(fromLocal(keycloak.IssuerPlainHTTP), overridden("KC_HOSTNAME", "KC_HOSTNAME_STRICT")...),
		// The file may have been put right since it was read.
		Remedies: []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{"grep -n -e ^hostname -e ^http-enabled /etc/keycloak/keycloak.conf", "systemctl restart keycloak"},
		Drill:    "kc-issuer-http",
	},
	{
		Code: keycloak.IssuerWrongPath, Title: "The issuer is another one than it should be", Severity: Critical,
		Explain: "The discovery document names another issuer than the site's, or is not where it should be; the evidence shows both, and from " +
			"which byte on they differ. A doubled path or another name comes from the hostname in keycloak.conf. A frontend URL of the realm's own does " +
			"the same and is a fault of its own.",
		DependsOn: slices.Concat(by(keycloak.RealmFrontendURL), fromLocal(keycloak.IssuerWrongPath), at(public, by(nginx.WrongUpstream, nginx.CSPConflict, nginx.StreamMissing)...),
			overridden("KC_HOSTNAME", "KC_HOSTNAME_STRICT")),
		Remedies: []string{"keycloak.conf", "realm", "service.keycloak.restart"},
		Fix:      []string{askPublic, "grep -n -e ^hostname -e ^http-relative-path /etc/keycloak/keycloak.conf"},
		Drill:    "kc-issuer-path",
	},
	{
		Code: keycloak.PlainHTTP, Title: "Plain HTTP is spoken where TLS belongs", Severity: Critical,
		Explain: "A TLS handshake is answered with plain HTTP; Firefox calls that SSL_ERROR_RX_RECORD_TOO_LONG. It is the doing of {subject}: " +
			"Keycloak speaks HTTP on its own port, or NGINX passes 443 to a listener without TLS. Its configuration is put back.",
		DependsOn: slices.Concat(
			off("keycloak"), []Ref{{Code: keycloak.PlainHTTP, Subject: "keycloak", When: "nginx"}, On(nginx.ListenerTaken, "8443")},
			when("nginx", nginx.WrongUpstream, nginx.CSPConflict, nginx.StreamMissing), []Ref{{Code: nginx.ListenerTaken, Subject: "443", When: "nginx"}},
			overriddenAt("keycloak", "KC_HTTP_ENABLED", "KC_HTTPS_PORT", "KC_HTTPS_CERTIFICATE_FILE", "KC_HTTPS_CERTIFICATE_KEY_FILE"),
		),
		Remedies: []string{"{subject}.conf", "service.{subject}.restart"},
		Fix:      []string{"curl -sS -m 3 http://[::1]:8443/    # an answer here is the fault", "grep -n ^http /etc/keycloak/keycloak.conf", "nginx -T | grep -n proxy_pass"},
		Drill:    "kc-plain-http",
	},
}
