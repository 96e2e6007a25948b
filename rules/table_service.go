package rules

import (
	"watchdog/probes"
	"watchdog/probes/certs"
	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/probes/postgres"
	"watchdog/probes/system"
)

// when limits edges to one service.
func when(service string, codes ...probes.Code) []Ref {
	var out []Ref
	for _, c := range codes {
		out = append(out, Ref{Code: c, When: service})
	}
	return out
}

// endings are what a service ends by, or can't start for. A start that is tried
// while one of them lasts fails again, and costs minutes.
//
// Keycloak exits within ten seconds of a start without its database, and has no
// restart of systemd's: so the database comes first, Keycloak after it. What
// it dials is ::1.
func endings() []Ref {
	refs := when("keycloak",
		keycloak.ConfigRejected, keycloak.OutOfMemory, keycloak.StartFailed, keycloak.CertsUnreadable,
		certs.CopyMissing, certs.CopyUnreadable,
		postgres.Down, postgres.Hung, postgres.TooManyConnections, postgres.NotListeningV6,
		postgres.NoHBAEntry, postgres.PasswordRejected, postgres.RoleMissing, postgres.RoleNoLogin, postgres.DatabaseMissing, postgres.NotOwner,
	)
	refs = append(refs, when("nginx", nginx.ConfigInvalid)...)
	refs = append(refs, when("postgresql", system.DiskFull, postgres.MajorMismatch)...)
	for _, at := range [][2]string{{"keycloak", "8443"}, {"keycloak", "9000"}, {"nginx", "443"}, {"nginx", "80"}, {"postgresql", "5432"}} {
		refs = append(refs, Ref{Code: nginx.ListenerTaken, Subject: at[1], When: at[0]})
	}
	return refs
}

// serviceTable holds what can befall a service, whichever it is; the subject is
// the service's name.
var serviceTable = []Rule{
	{
		Code: system.ServiceDead, Title: "A service ended by itself", Severity: Critical,
		Explain: "{subject} was running and ended without being told to: killed by a signal, out of memory, or by an error of its own. " +
			"The evidence names the result; the journal has its last words. It is started again.",
		DependsOn: endings(),
		Remedies:  []string{"service.{subject}"},
		Fix:       []string{"journalctl -b -p warning -n 50", "watchdog heal service.dead"},
		Drill:     "kc-killed",
	},
	{
		Code: system.ServiceStopped, Title: "A service is stopped", Severity: Critical,
		Explain: "{subject} is not running and did not fail: somebody stopped it, or it was never started since the host came up. " +
			"To keep it stopped, pause watchdog first (watchdog pause).",
		// After a restart of the host, what does not start at boot is stopped.
		DependsOn: append(endings(), On(system.ServiceDisabled, "{subject}")),
		Remedies:  []string{"service.{subject}"},
		Fix:       []string{"watchdog heal service.stopped"},
		Drill:     "nginx-stopped",
	},
	{
		Code: system.ServiceMasked, Title: "A service is masked", Severity: Critical,
		Explain: "{subject} is masked: its unit leads to /dev/null and nothing can start it, not even a person. Somebody did that on purpose, " +
			"often before a repair, and forgot to take it back.",
		Remedies: []string{"service.{subject}"},
		Fix:      []string{"watchdog heal service.masked"},
		Drill:    "kc-masked",
	},
	{
		Code: system.ServiceStartLimit, Title: "The service manager gave up on a service", Severity: Critical,
		Explain: "{subject} failed so often in a short time that systemd refuses to start it again, even when the cause is long gone. " +
			"The counter is reset and the service started once nothing beneath it is wrong.",
		DependsOn: endings(),
		Remedies:  []string{"service.{subject}"},
		Fix:       []string{"watchdog heal service.start-limit-hit"},
		Drill:     "kc-start-limit",
	},
	{
		Code: system.ServiceStuck, Title: "A service neither starts nor stops", Severity: Critical,
		Explain: "{subject} has been starting or stopping for longer than it ever takes. Debian's PostgreSQL does so for ever on a full disk, " +
			"and systemctl start then never returns. Its processes are ended and it is started afresh.",
		DependsOn: endings(),
		Remedies:  []string{"service.{subject}.restart"},
		Fix:       []string{"systemctl list-jobs", "df -h", "watchdog heal service.stuck"},
		Drill:     "pg-activating",
	},
	{
		Code: system.ServiceDisabled, Title: "A service would not start at boot", Severity: Warning,
		Explain: "{subject} is not enabled: after the next restart of this host it stays down. A disabled renewal timer lets certificates run " +
			"out in silence, a disabled backup timer leaves only old backups.",
		Remedies: []string{"service.{subject}"},
		Fix:      []string{"watchdog heal service.disabled"},
		Drill:    "cert-expiring",
	},
	{
		Code: system.ServiceMissing, Title: "A service is not installed", Severity: Critical,
		Explain: "There is no unit for {subject} on this host: its package was removed, or its unit file deleted. Installing again puts back " +
			"what is missing and leaves the rest as it is.",
		Fix: []string{"watchdog plan", "watchdog install"},
	},
}
