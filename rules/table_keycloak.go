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

// overridden is what makes Keycloak do something else than these options of its
// configuration file say: a variable in its place, or one that names another
// file.
func overridden(options ...string) []Ref {
	var refs []Ref
	for _, o := range append(options, "KC_CONFIG_FILE") {
		refs = append(refs, On(keycloak.EnvOverridesFile, o), On(keycloak.EnvFileOverrides, o))
	}
	return refs
}

// overriddenAt limits what is overridden to one subject of the fault.
func overriddenAt(subject string, options ...string) []Ref {
	return at(subject, overridden(options...)...)
}

// rejectable are the variables that a refused configuration may have come from,
// by what its subject says of them: Keycloak names an option by its variable, or,
// where it was built in, by its key, or it names none.
func rejectable() []Ref {
	refs := slices.Concat(
		overriddenAt("keycloak.conf", "KC_HOSTNAME", "KC_HOSTNAME_ADMIN", "KC_HTTP_ENABLED", "KC_HTTPS_CERTIFICATE_FILE",
			"KC_HTTPS_CERTIFICATE_KEY_FILE", "KC_HTTPS_CERTIFICATES_RELOAD_PERIOD"),
		overriddenAt("kc.health-enabled", "KC_HEALTH_ENABLED"), overriddenAt("kc.metrics-enabled", "KC_METRICS_ENABLED"),
		overriddenAt("kc.db", "KC_DB"), overriddenAt("kc.cache", "KC_CACHE"),
	)
	for _, o := range []string{
		"KC_HOSTNAME", "KC_HOSTNAME_ADMIN", "KC_HOSTNAME_STRICT", "KC_HTTP_ENABLED", "KC_HTTPS_PORT", "KC_HTTPS_CERTIFICATES_RELOAD_PERIOD",
		"KC_HEALTH_ENABLED", "KC_METRICS_ENABLED", "KC_HTTP_MANAGEMENT_PORT", "KC_HTTP_MANAGEMENT_SCHEME", "KC_DB", "KC_CACHE", "KC_LOG_CONSOLE_COLOR",
	} {
		refs = append(refs, overriddenAt(o, o)...)
	}
	return refs
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
		DependsOn: slices.Concat(keycloakOff(), when("database", noDatabase()...), when("starting", noDatabase()...), when("starting", keycloak.SchemaLocked), by(keycloak.SchemaMissing),
			overriddenAt("unknown", "KC_HTTP_MANAGEMENT_SCHEME", "KC_HEALTH_ENABLED")),
		For:      3 * time.Minute,
		Remedies: []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{"curl -sS http://[::1]:9000/health/ready", seeKeycloak, "systemctl restart keycloak"},
		Drill:    "pg-stopped",
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
		DependsOn: append(keycloakOff(), overridden("KC_HEALTH_ENABLED", "KC_HTTP_MANAGEMENT_HOST", "KC_HTTP_MANAGEMENT_PORT", "KC_HTTP_MANAGEMENT_SCHEME", "KC_HTTP_HOST")...),
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
		DependsOn: rejectable(),
		Remedies:  []string{"keycloak.conf", "service.keycloak"},
		Fix:       []string{seeKeycloak, "watchdog plan    # shows the difference", "watchdog heal keycloak.config-rejected"},
		Drill:     "kc-bad-option",
	},
	{
		Code: keycloak.EnvOverridesFile, Title: "A drop-in's variable overrides keycloak.conf", Severity: Warning, Mode: Ask,
		Explain: "Variable {subject} in a drop-in of Keycloak's unit, or left in the running server, counts more than keycloak.conf and says " +
			"something else: writing the file again changes nothing. Somebody put it there, perhaps for a reason, so a person decides. Only the " +
			"variable is taken out of the drop-in, the rest stays.",
		Remedies: []string{"keycloak.env"},
		Fix:      []string{"systemctl cat keycloak | grep -n KC", "watchdog heal keycloak.env-overrides-file    # takes it out and restarts Keycloak"},
		Drill:    "kc-env-override",
	},
	{
		Code: keycloak.EnvFileOverrides, Title: "A file of variables overrides keycloak.conf", Severity: Warning,
		Explain: "Variable {subject} counts more than keycloak.conf and says something else. It comes from a file that Keycloak's unit names by " +
			"EnvironmentFile=, which the evidence names with the line. Other programs may read that file, so a person has to change it.",
		Fix:   []string{"systemctl cat keycloak | grep -n EnvironmentFile", "sed -i '/^KC_NAME=/d' FILE    # the evidence has both", "systemctl restart keycloak"},
		Drill: "kc-env-file",
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
		DependsOn: slices.Concat(when("database", noDatabase()...), by(keycloak.SchemaMissing),
			overriddenAt("database", "KC_DB_URL", "KC_DB_USERNAME", "KC_DB_PASSWORD")),
		Remedies: []string{"service.keycloak", "keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{seeKeycloak, "systemctl start keycloak"},
	},
	{
		Code: keycloak.CertsUnreadable, Title: "Keycloak can't read its certificate", Severity: Critical,
		Explain: "Keycloak ended while it started because {subject} is missing, closed to it, or no certificate. Files for it belong to its " +
			"service user, in a directory that this user may enter. They are copied again from certbot's.",
		DependsOn: slices.Concat(by(certs.CopyMissing, certs.CopyUnreadable, certs.Missing), []Ref{On(certs.KeyMismatch, certPair)},
			overridden("KC_HTTPS_CERTIFICATE_FILE", "KC_HTTPS_CERTIFICATE_KEY_FILE")),
		Remedies: []string{"certs.copy", "service.keycloak"},
		Fix:      []string{"ls -la /etc/keycloak/certs", "watchdog heal keycloak.certs-unreadable"},
		Drill:    "cert-copy-perms",
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
