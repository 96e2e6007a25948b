package rules

import (
	"slices"
	"time"

	"watchdog/probes/certs"
	"watchdog/probes/keycloak"
	"watchdog/probes/nginx"
	"watchdog/probes/postgres"
	"watchdog/probes/system"
)

// keycloakOff is what keeps Keycloak from serving anybody: it is away, or what
// it last said of its start.
func keycloakOff() []Ref {
	return slices.Concat(off("keycloak"),
		by(keycloak.ConfigRejected, keycloak.OutOfMemory, keycloak.StartFailed, keycloak.CertsUnreadable),
		[]Ref{On(nginx.ListenerTaken, "8443"), On(nginx.ListenerTaken, "9000")})
}

const seeKeycloak = "journalctl -u keycloak -n 60 --no-pager"

// keycloakTable holds the faults of the server itself; what it gives out has a
// table of its own.
var keycloakTable = slices.Concat(serverTable, issuerTable, realmTable)

var serverTable = []Rule{
	{
		Code: keycloak.NotReady, Title: "Keycloak runs and is not ready", Severity: Critical,
		Explain: "Keycloak says itself that it can't serve: it has no database connection (database), or has not finished starting (starting). " +
			"With the database back it recovers within seconds, without a restart; a start takes up to two minutes on an empty database.",
		DependsOn: slices.Concat(keycloakOff(), when("database", noDatabase()...), when("starting", noDatabase()...), when("starting", keycloak.SchemaLocked), by(keycloak.SchemaMissing)),
		For:       3 * time.Minute,
		Remedies:  []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:       []string{"curl -sS http://[::1]:9000/health/ready", seeKeycloak, "systemctl restart keycloak"},
		Drill:     "pg-stopped",
	},
	{
		Code: keycloak.Hung, Title: "Keycloak accepts and does not answer", Severity: Critical,
		Explain: "The process lives and its ports accept, but no answer comes: it is stopped, out of memory and collecting garbage, or waits for " +
			"a database that hangs. systemd sees nothing wrong. It is restarted; sessions are in the database and survive that.",
		// Without its database readiness waits for a connection, too long for
		// a look.
		DependsOn: slices.Concat(by(noDatabase()...), by(system.DiskFull), []Ref{On(system.ServiceStuck, "keycloak")}),
		For:       5 * time.Second,
		Remedies:  []string{"service.keycloak.restart"},
		Fix:       []string{"ps -o pid,stat,wchan:20,cmd -C java    # T: stopped", seeKeycloak, "systemctl restart keycloak"},
		Drill:     "kc-hung",
	},
	{
		Code: keycloak.Unreachable, Title: "Keycloak's management interface is unreachable", Severity: Critical,
		Explain: "Nobody answers where Keycloak says whether it is ready, although its service runs. Either health-enabled or the settings of " +
			"the management interface are gone from keycloak.conf, or the process is on its way down.",
		DependsOn: keycloakOff(),
		// A start opens this port last but one: whoever restarts Keycloak by
		// hand is not to be interrupted.
		For:      time.Minute,
		Remedies: []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{"ss -ltnp 'sport = :9000'", "grep -n -e health -e management /etc/keycloak/keycloak.conf", seeKeycloak},
	},
	{
		Code: keycloak.ConfigRejected, Title: "Keycloak refuses its configuration", Severity: Critical,
		Explain: "The last start ended over {subject}: an option that this version does not know, a value that it does not take, or a build " +
			"option that has changed since it was built. The evidence has its own words. The configuration is written again and built if needed.",
		Remedies: []string{"keycloak.conf", "service.keycloak"},
		Fix:      []string{seeKeycloak, "watchdog plan    # shows the difference", "watchdog heal keycloak.config-rejected"},
		Drill:    "kc-bad-option",
	},
	{
		Code: keycloak.OutOfMemory, Title: "Keycloak ran out of memory", Severity: Critical,
		Explain: "The heap was exhausted and the process ended itself, as it is told to, or the kernel ended it. It is started again. If that " +
			"repeats, give it more: the heap is set in the site file (keycloak: heap), and below 96 MiB it does not last.",
		Remedies: []string{"service.keycloak"},
		Fix:      []string{"journalctl -u keycloak -k -g 'OutOfMemory|oom' -n 20", "systemctl start keycloak", "watchdog site show    # keycloak: heap"},
		Drill:    "kc-oom",
	},
	{
		Code: keycloak.StartFailed, Title: "Keycloak's last start failed", Severity: Critical,
		Explain: "Keycloak ended while it started; the evidence has the line that says why. Without its database (database) it exits within ten " +
			"seconds and does not try again: once the database is there, it is started.",
		DependsOn: slices.Concat(when("database", noDatabase()...), by(keycloak.SchemaMissing)),
		Remedies:  []string{"service.keycloak", "keycloak.conf", "service.keycloak.restart"},
		Fix:       []string{seeKeycloak, "systemctl start keycloak"},
	},
	{
		Code: keycloak.CertsUnreadable, Title: "Keycloak can't read its certificate", Severity: Critical,
		Explain: "Keycloak ended while it started because {subject} is missing, closed to it, or no certificate. Files for it belong to its " +
			"service user, in a directory that this user may enter. They are copied again from certbot's.",
		DependsOn: slices.Concat(by(certs.CopyMissing, certs.CopyUnreadable, certs.Missing), []Ref{On(certs.KeyMismatch, certPair)}),
		Remedies:  []string{"certs.copy", "service.keycloak"},
		Fix:       []string{"ls -la /etc/keycloak/certs", "watchdog heal keycloak.certs-unreadable"},
		Drill:     "cert-copy-perms",
	},
	{
		Code: keycloak.SchemaMissing, Title: "Keycloak's tables are gone under it", Severity: Critical,
		Explain: "Database {subject} is there and empty: it was dropped and made again while Keycloak ran. Keycloak may say UP and shows pages " +
			"from a cache, and every login fails. A start now would make new, empty tables; the accounts come back from a backup only: the " +
			"evidence names the newest verified one.",
		DependsOn: by(postgres.DatabaseMissing),
		Fix:       restoreDatabase(),
		Drill:     "kc-schema-gone",
	},
	{
		Code: keycloak.SchemaLocked, Title: "Keycloak's start waits for another session", Severity: Critical, Mode: Ask,
		Explain: "A session of PostgreSQL holds the row that Keycloak locks before it looks after its tables, and the start waits for it, without a " +
			"word in the log. The evidence names it: a psql left open in a transaction, a server that was cut off, or another Keycloak that " +
			"is just making the tables and will be done. Once approved it is ended; what it had not committed is lost.",
		For:      20 * time.Second,
		Remedies: []string{"keycloak.schema-lock"},
		Budget:   Budget{Attempts: 2, Within: time.Hour},
		Fix: []string{
			"sudo -u postgres psql -x -c 'select * from pg_stat_activity where pid = PID'    # whose it is, and what it did last",
			"sudo -u postgres psql -c 'select pg_terminate_backend(PID)'",
		},
		Drill: "kc-schema-lock",
	},
}
