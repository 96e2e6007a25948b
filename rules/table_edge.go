package rules

import (
	"slices"
	"time"

	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/probes/system"
)

const seeNginx = "nginx -T | grep -n -e 'configuration file' -e listen -e proxy_pass -e return"

// noAddress is what takes the public address away.
func noAddress() []Ref { return by(system.AddressMissing, system.AddressDADFailed) }

// edgeTable holds the faults of NGINX in front of Keycloak, and of who listens
// where.
var edgeTable = []Rule{
	{
		Code: nginx.ConfigInvalid, Title: "NGINX refuses its configuration", Severity: Warning,
		Explain: "nginx -t fails at {subject}. The running NGINX goes on with what it has read before, but takes no reload, and would not start " +
			"again. Files of the program's own are put back; a foreign one is named and left to its owner.",
		Remedies: []string{"nginx.conf"},
		Fix:      []string{"nginx -t", "sed -n '1,40p' FILE    # the file and line that the evidence names", "systemctl reload nginx"},
		Drill:    "nginx-syntax",
	},
	{
		Code: nginx.StreamMissing, Title: "NGINX does not pass 443 through to Keycloak", Severity: Critical,
		Explain: "The configuration has no stream server on [::]:443: the include of stream.conf is gone, or an http server took its place, " +
			"which would end TLS before Keycloak and put a second security policy over its pages.",
		Remedies: []string{"nginx.conf"},
		Fix:      []string{seeNginx, "nginx -t && systemctl reload nginx"},
		Drill:    "nginx-include",
	},
	{
		Code: nginx.CSPConflict, Title: "NGINX puts its own policy over Keycloak's pages", Severity: Critical,
		Explain: "The http server at {subject} ends TLS in front of Keycloak and adds a Content-Security-Policy. Browsers obey both policies: " +
			"silent sign-in and the account pages break, while every check by hand answers 200. TLS belongs to Keycloak, so the stream is put back; " +
			"the server goes if its file holds nothing else.",
		Remedies: []string{"nginx.conf"},
		Fix:      []string{"curl -sSI https://NAME/realms/REALM/account/ | grep -ci content-security-policy    # wanted: 1", seeNginx, "nginx -t && systemctl reload nginx"},
		Drill:    "nginx-csp",
	},
	{
		Code: nginx.RunningStale, Title: "NGINX runs an older configuration than it has on disk", Severity: Warning,
		Explain: "NGINX does not listen where its configuration says. A reload for which one port can't be had is refused as a whole: its exit " +
			"code is 0, nginx -t has no objection, and everything changed since stays without effect. It is reloaded once the port is free; what " +
			"nobody has reloaded yet is left to whoever changed it.",
		DependsOn: []Ref{On(nginx.ListenerTaken, "443"), On(nginx.ListenerTaken, "80")},
		Remedies:  []string{"service.nginx.reload"},
		Fix:       []string{"tail -n 20 /var/log/nginx/error.log", "ss -ltnp    # who has the port", "nginx -t && systemctl reload nginx"},
		Drill:     "nginx-stale",
	},
	{
		Code: nginx.WrongUpstream, Title: "NGINX passes 443 to the wrong place", Severity: Critical,
		Explain: "The stream server at {subject} does not lead to Keycloak's listener. Clients get a connection that closes at once, or whoever " +
			"listens there instead. A reload is enough after the edit.",
		Remedies: []string{"nginx.conf"},
		Fix:      []string{seeNginx, "nginx -t && systemctl reload nginx"},
		Drill:    "nginx-include",
	},
	{
		Code: nginx.RedirectMissing, Title: "Port 80 lacks its redirect", Severity: Warning,
		Explain: "The server on port 80 should send people to https and let the certificate authority fetch its file without that. Without the " +
			"first, typed addresses fail; without the second, the next renewal does.",
		Remedies: []string{"nginx.conf"},
		Fix:      []string{seeNginx, "nginx -t && systemctl reload nginx"},
		Drill:    "nginx-include",
	},
	{
		Code: nginx.EdgeRefused, Title: "The public port refuses connections", Severity: Critical,
		Explain: "Nobody listens on port 443 of the public address: NGINX is away, or does not listen there. From outside the whole site looks " +
			"dead, while Keycloak behind it is well.",
		DependsOn: slices.Concat(off("nginx"), by(nginx.ConfigInvalid, nginx.StreamMissing, nginx.RunningStale), noAddress()),
		// Its service may have ended this instant, and says so in the next.
		For:      2 * time.Second,
		Remedies: []string{"nginx.conf", "service.nginx", "service.nginx.restart"},
		Fix:      []string{"ss -ltnp 'sport = :443'", "nginx -t", "systemctl restart nginx"},
		Drill:    "nginx-stopped",
	},
	{
		Code: nginx.EdgeHung, Title: "The public port accepts and nobody answers", Severity: Critical,
		Explain: "A connection to port 443 is accepted, or not even refused, and no handshake follows. NGINX only passes bytes on, so as a rule " +
			"the one who is silent is Keycloak behind it; NGINX's own workers can hang too.",
		DependsOn: slices.Concat(noAddress(),
			by(keycloak.Hung, nginx.WrongUpstream), []Ref{On(keycloak.IssuerUnreachable, local), On(nginx.ListenerTaken, "443"), On(nginx.ListenerTaken, "8443")}),
		For:      5 * time.Second,
		Remedies: []string{"nginx.conf", "service.nginx.restart"},
		Fix:      []string{"tail -n 20 /var/log/nginx/error.log", "openssl s_client -brief -connect '[::1]:8443' </dev/null", "systemctl restart nginx"},
	},
	{
		Code: nginx.EdgeClosed, Title: "The public port accepts and closes at once", Severity: Critical,
		Explain: "NGINX takes the connection and drops it, because nobody is behind it: Keycloak is down, or listens elsewhere than NGINX leads " +
			"to. A check that only connects calls this healthy.",
		DependsOn: slices.Concat(keycloakOff(),
			by(keycloak.Unreachable, keycloak.NotReady, nginx.WrongUpstream), []Ref{On(keycloak.IssuerUnreachable, local), On(nginx.ListenerTaken, "443")}),
		Remedies: []string{"nginx.conf", "service.nginx.restart"},
		Fix:      []string{"tail -n 20 /var/log/nginx/error.log    # which upstream refused", "ss -ltnp 'sport = :8443'", "systemctl status keycloak"},
		Drill:    "kc-killed",
	},
	{
		Code: nginx.ListenerPublic, Title: "A service of the loopback listens for the network", Severity: Critical, Door: true,
		Explain: "{subject} is meant for this host only and listens on an address that others reach; only the firewall still holds them back. A " +
			"setting of it was changed or lost. It is put back and the service restarted at once.",
		// What is written to the file does not close it while a variable counts more.
		DependsOn: overriddenAt("keycloak", "KC_HTTP_HOST", "KC_HTTP_MANAGEMENT_HOST"),
		Remedies:  []string{"{subject}.conf", "service.{subject}.restart"},
		Fix: []string{
			"ss -ltnp", "grep -n http-host /etc/keycloak/keycloak.conf    # wanted: ::1", "systemctl restart {subject}",
		},
		Drill: "kc-public-bind",
	},
	{
		Code: nginx.ListenerIPv4Open, Title: "A public service listens on IPv4 too", Severity: Warning,
		Explain: "{subject} takes IPv4 connections, on an address of its own or by a socket for both families. The site is IPv6 only: its rules, " +
			"certificates and checks say nothing of IPv4. A distribution's default site does that. A reload keeps such a socket, so it is restarted.",
		Remedies: []string{"{subject}.conf", "service.{subject}.restart"},
		Fix:      []string{"ss -ltnp 'sport = :80 or sport = :443'", "nginx -T | grep -n listen", "systemctl restart {subject}"},
		Drill:    "nginx-v4",
	},
	{
		Code: nginx.ListenerTaken, Title: "Another program has a port of the stack", Severity: Critical,
		Explain: "Port {subject} belongs to the stack and another program listens on it, so the service can't start, or its clients reach a " +
			"stranger. The evidence names process and program. Whose it is, a person has to see; once it is gone the service is started.",
		Fix:   []string{"ss -ltnp 'sport = :{subject}'", "systemctl status PID    # which unit it belongs to", "kill PID"},
		Drill: "kc-port-taken",
	},
}
