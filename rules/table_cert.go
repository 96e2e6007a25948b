package rules

import (
	"time"

	"watchdog/probes/certs"
	"watchdog/probes/nginx"
	"watchdog/probes/system"
)

// keycloakListener is the subject by which the certificate that Keycloak serves is told
// of, on a site that leaves it its port ([Stack.KeycloakAddr]).
const keycloakListener = "[::1]:8443"

// certPair is the subject of Keycloak's copy as a whole.
const certPair = "pair"

// certOrders is the budget of what asks the authority: Let's Encrypt counts five
// failures an hour and five certificates a week for the same names.
var certOrders = Budget{Attempts: 3, Within: 6 * time.Hour}

// webOff is what keeps NGINX from answering on port 80.
func webOff() []Ref {
	return []Ref{
		On(system.ServiceDead, "nginx"), On(system.ServiceStopped, "nginx"), On(system.ServiceMasked, "nginx"),
		On(system.ServiceStartLimit, "nginx"), On(system.ServiceStuck, "nginx"), On(system.ServiceMissing, "nginx"),
		{Code: nginx.ConfigInvalid}, {Code: nginx.RedirectMissing}, {Code: nginx.RunningStale}, On(nginx.ListenerTaken, "80"),
	}
}

// renewalOff is why a certificate ran towards its end. Curing it does not renew
// the certificate, but an order can succeed then.
func renewalOff() []Ref {
	refs := staying(append(timerOff("certbot-timer"), Ref{Code: certs.Port80Blocked}))
	// What the server shows is old because it was never given the new one.
	return append(refs, On(certs.ServedStale, "{subject}"), Ref{Code: certs.CopyStale, When: keycloakListener})
}

// certTable holds the faults of certificates, from certbot's lineage to what is
// served. Faults of the hook explain none of them: a stale copy means that a
// renewal went by without it, but a hook put back copies nothing before the next
// one, so the copy is healed for itself.
var certTable = []Rule{
	{
		Code: certs.Missing, Title: "There is no certificate", Severity: Critical,
		Explain: "Certbot holds no certificate for {subject}, or what is in its place can't be read as one. Keycloak goes on with its copy " +
			"while that is good, and nothing renews it. A new one is ordered through port 80.",
		DependsOn: staying([]Ref{{Code: certs.Port80Blocked}}),
		Remedies:  []string{"certs.lineage"}, Budget: certOrders,
		Fix: []string{"certbot certificates", "watchdog heal cert.missing"},
	},
	{
		Code: certs.Expiring, Title: "The certificate runs out", Severity: Warning,
		Explain: "The certificate has less time left than several renewals in a row would have left it, or is past its end, when every client " +
			"refuses it. Certbot renews 30 days before the end, twice a day, so renewals have failed for a while or were never tried.",
		DependsOn: append(renewalOff(), Ref{Code: system.ClockSkew}),
		Remedies:  []string{"certs.lineage"}, Budget: certOrders,
		Fix:   []string{"systemctl list-timers certbot.timer", "certbot renew --dry-run", "watchdog heal cert.expiring"},
		Drill: "cert-expiring",
	},
	{
		Code: certs.NameMismatch, Title: "The certificate is for another name", Severity: Critical,
		Explain: "The certificate does not name the site's public name, so every client refuses it. It was ordered for another name, or the " +
			"lineage of another host was copied here.",
		DependsOn: []Ref{On(certs.ServedStale, "{subject}"), {Code: certs.CopyStale, When: keycloakListener}},
		Remedies:  []string{"certs.lineage"}, Budget: certOrders,
		Fix:   []string{"certbot certificates", "watchdog heal cert.name-mismatch"},
		Drill: "cert-wrong-name",
	},
	{
		Code: certs.ChainIncomplete, Title: "The certificate lacks its issuer's", Severity: Critical,
		Explain: "The certificate stands alone, without the intermediate that signed it, in certbot's lineage or in Keycloak's copy of it " +
			"(fullchain.pem). Browsers often fill the gap from memory; other clients, oauth2-proxy among them, refuse. Somebody put cert.pem in the " +
			"place of fullchain.pem, or edited it. It is put together again from what certbot keeps, and ordered anew only without that.",
		Remedies: []string{"certs.chain"}, Budget: certOrders,
		Fix: []string{
			"grep -c BEGIN /etc/letsencrypt/live/*/fullchain.pem /etc/keycloak/certs/fullchain.pem    # wanted: 2 or more",
			"watchdog heal cert.chain-incomplete",
		},
		Drill: "cert-untrusted",
	},
	{
		Code: certs.CopyMissing, Title: "Keycloak's copy of the certificate is gone", Severity: Critical,
		Explain: "Keycloak reads its certificate from a directory of its own, and it is not all there. A running server goes on with what it " +
			"has in memory; it would not start again. It is copied from certbot's lineage with the right owner and modes.",
		DependsOn: by(certs.Missing, certs.ChainIncomplete),
		Remedies:  []string{"certs.copy"},
		Fix:       []string{"ls -la /etc/keycloak/certs", "watchdog heal cert.copy-missing"},
		Drill:     "cert-copy-gone",
	},
	{
		Code: certs.CopyUnreadable, Title: "Keycloak can't read its certificate", Severity: Warning,
		Explain: "Owner or mode of the copy, or of a directory above it, keep the service user out. A running server keeps the old pair in " +
			"memory: it takes no renewed one, and would not start again. Usually somebody copied it as root.",
		Remedies: []string{"certs.copy"},
		Fix: []string{
			"chown keycloak:keycloak /etc/keycloak/certs /etc/keycloak/certs/*.pem", "chmod 0750 /etc/keycloak/certs",
			"chmod 0600 /etc/keycloak/certs/privkey.pem", "chmod 0640 /etc/keycloak/certs/fullchain.pem",
		},
		Drill: "cert-copy-perms",
	},
	{
		Code: certs.KeyWorldReadable, Title: "Keycloak's private key is open", Severity: Critical, Door: true,
		Explain: "Others on this host can read the private key, and whoever has it can pass for the site. It is closed at once; if strangers " +
			"have accounts here, order a certificate with a new key and revoke this one.",
		Remedies: []string{"certs.copy"},
		Fix:      []string{"chmod 0600 /etc/keycloak/certs/privkey.pem", "chown keycloak:keycloak /etc/keycloak/certs/privkey.pem"},
		Drill:    "cert-key-open",
	},
	{
		Code: certs.KeyMismatch, Title: "Certificate and key are not a pair", Severity: Critical,
		Explain: "The key does not belong to the certificate. Keycloak starts all the same and says it is ready, and every handshake fails. " +
			"One of the two files was replaced without the other.",
		// What the server shows it has from its copy.
		DependsOn: []Ref{{Code: certs.KeyMismatch, Subject: certPair, When: keycloakListener}},
		Remedies:  []string{"certs.copy", "service.keycloak.restart"},
		Fix:       []string{"watchdog heal cert.key-mismatch"},
		Drill:     "cert-mismatch",
	},
	{
		Code: certs.CopyStale, Title: "Keycloak's certificate is not certbot's newest", Severity: Warning,
		Explain: "Certbot has renewed, and Keycloak's copy is still the one before: the deploy hook was missing or failed, which certbot " +
			"reports nowhere. The new pair is copied; Keycloak reads it within half a minute, without a restart.",
		DependsOn: by(certs.Missing, certs.ChainIncomplete),
		Remedies:  []string{"certs.copy"},
		Fix:       []string{"certbot certificates", "watchdog heal cert.copy-stale"},
		Drill:     "cert-stale",
	},
	{
		Code: certs.ServedStale, Title: "An old certificate is served", Severity: Warning,
		Explain: "The listener shows another certificate than the one it should have read from disk. Keycloak reads its files again every " +
			"half minute, so it could not, or does not look any more. It is restarted, which costs some seconds of logins.",
		DependsOn: []Ref{{Code: certs.CopyUnreadable}, On(certs.KeyMismatch, certPair)},
		Remedies:  []string{"service.keycloak.restart"},
		Fix:       []string{"journalctl -u keycloak -n 50 -g TLS", "systemctl restart keycloak"},
		Drill:     "cert-served-old",
	},
	{
		Code: certs.HookMissing, Title: "The renewal hook is gone", Severity: Warning,
		Explain: "Certbot's deploy hook, which hands a renewed certificate to Keycloak, is not there. The program copies it too; the hook is for " +
			"the day when that does not run.",
		Remedies: []string{"certs.hook"},
		Fix:      []string{"ls -l /etc/letsencrypt/renewal-hooks/deploy", "watchdog heal hook.missing"},
		Drill:    "cert-hook-gone",
	},
	{
		Code: certs.HookNotExecutable, Title: "The renewal hook can't be executed", Severity: Warning,
		Explain:  "Certbot skips hooks without the executable bit and says nothing. A renewed certificate would not reach Keycloak by it.",
		Remedies: []string{"certs.hook"},
		Fix:      []string{"chmod 0755 /etc/letsencrypt/renewal-hooks/deploy/*.sh"},
		Drill:    "cert-hook-noexec",
	},
	{
		Code: certs.HookDrift, Title: "The renewal hook was changed", Severity: Warning,
		Explain: "The deploy hook does not say what the site wants it to. A hook that fails leaves certbot's exit code at 0, so nobody would " +
			"hear of it. Put what you want done at a renewal into a file of its own beside it.",
		Remedies: []string{"certs.hook"},
		Fix:      []string{"watchdog plan    # shows the difference", "watchdog heal hook.drift"},
		Drill:    "cert-hook-edited",
	},
	{
		Code: certs.Port80Blocked, Title: "Port 80 does not answer the certificate authority", Severity: Warning,
		Explain: "At each renewal the authority asks for a file on port 80. Something else has the port, NGINX redirects the question, or the " +
			"packet filter drops it. All works until the certificate ends.",
		DependsOn: webOff(),
		// NGINX may have ended this instant, and says so in the next.
		For:      2 * time.Second,
		Remedies: []string{"firewall", "nginx.conf", "service.nginx"},
		Fix:      []string{"ss -ltnp 'sport = :80'", "nft list ruleset", "certbot renew --dry-run"},
		Drill:    "cert-renew-port",
	},
}
