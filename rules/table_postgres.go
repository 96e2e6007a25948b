package rules

import (
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/nginx"
	"watchdog/probes/postgres"
	"watchdog/probes/system"
)

// by refers to codes, whatever they befall.
func by(codes ...probes.Code) []Ref { return when("", codes...) }

// off is how a service can be away.
func off(service string) []Ref {
	return []Ref{
		On(system.ServiceDead, service), On(system.ServiceStopped, service), On(system.ServiceMasked, service),
		On(system.ServiceStartLimit, service), On(system.ServiceStuck, service), On(system.ServiceMissing, service),
	}
}

// restoreDump brings the database back from the directory of a backup, which is
// root's: so the dump comes by standard input.
const restoreDump = "runuser -u postgres -- pg_restore --clean --if-exists --create -d postgres < DIRECTORY/keycloak.dump"

// restoreDatabase is how a person brings a lost database back. Started too early
// Keycloak would make its tables anew, empty: so everybody keeps still meanwhile.
func restoreDatabase() []string {
	return []string{
		"watchdog pause --for 1h --reason 'restoring the database'",
		"systemctl stop keycloak",
		restoreDump + "    # the directory of the newest verified backup is in the evidence",
		"systemctl start keycloak",
		"watchdog resume",
	}
}

// onePath makes one fault of what is seen on several paths to the server: one
// cure serves them all, and what holds on the socket explains the rest.
func onePath(code probes.Code) []Ref {
	socket, v4, v6 := string(postgres.Socket), string(postgres.V4), string(postgres.V6)
	return []Ref{
		{Code: code, Subject: socket, When: v4}, {Code: code, Subject: socket, When: v6}, {Code: code, Subject: v4, When: v6},
		{Code: code, Subject: socket, When: "server"}, {Code: code, Subject: v4, When: "server"}, {Code: code, Subject: v6, When: "server"},
	}
}

// oneServer makes one fault of what the server does on every path, and says
// itself when it is asked.
func oneServer(code probes.Code) []Ref {
	var refs []Ref
	for _, e := range onePath(code) {
		if e.When != "server" {
			refs = append(refs, e)
		}
	}
	for _, path := range postgres.Paths {
		refs = append(refs, Ref{Code: code, Subject: "server", When: string(path)})
	}
	return refs
}

// noDatabase is all that keeps Keycloak from its database, which it dials at
// ::1.
func noDatabase() []probes.Code {
	return []probes.Code{
		postgres.Down, postgres.Hung, postgres.TooManyConnections, postgres.NotListeningV6,
		postgres.NoHBAEntry, postgres.PasswordRejected, postgres.LoginRefused, postgres.PasswordDrift, postgres.VerifierNotSCRAM,
		postgres.RoleMissing, postgres.RoleNoLogin, postgres.DatabaseMissing, postgres.NotOwner, system.DiskFull,
	}
}

const (
	seeHBA  = "sudo -u postgres psql -c 'select line_number, type, database, user_name, address, auth_method from pg_hba_file_rules'"
	seeRole = "sudo -u postgres psql -c \"select rolname, rolcanlogin, left(rolpassword, 13), rolvaliduntil, rolconnlimit from pg_authid\""
)

// postgresTable holds the faults of Keycloak's database.
var postgresTable = []Rule{
	{
		Code: postgres.Down, Title: "PostgreSQL does not run", Severity: Critical,
		Explain: "Nobody listens where the database server should. Keycloak goes on showing its pages from a cache, but no login succeeds " +
			"and no token is issued. It finds its way back by itself once the database is there and need not be restarted.",
		DependsOn: slices.Concat(onePath(postgres.Down), off("postgresql"), by(postgres.MajorMismatch, system.DiskFull), []Ref{On(nginx.ListenerTaken, "5432")}),
		// Its service may have ended this instant, and says so in the next.
		For:      2 * time.Second,
		Remedies: []string{"service.postgresql", "service.postgresql.restart"},
		Fix:      []string{"journalctl -u 'postgresql*' -n 50 --no-pager", "systemctl start postgresql"},
		Drill:    "pg-stopped",
	},
	{
		Code: postgres.Hung, Title: "PostgreSQL accepts and does not answer", Severity: Critical,
		Explain: "The server takes connections and says nothing: its main process is stopped or stuck on the disk. Keycloak's readiness hangs with " +
			"it, and each login waits twenty seconds for an error.",
		DependsOn: slices.Concat(onePath(postgres.Hung), by(system.DiskFull), []Ref{On(system.ServiceStuck, "postgresql"), On(nginx.ListenerTaken, "5432")}),
		For:       5 * time.Second,
		Remedies:  []string{"service.postgresql.restart"},
		Fix:       []string{"ps -o pid,stat,wchan:20,cmd -C postgres    # T: stopped, D: waits for the disk", "systemctl restart postgresql"},
		Drill:     "pg-hung",
	},
	{
		Code: postgres.TooManyConnections, Title: "PostgreSQL has no connection left", Severity: Critical,
		Explain: "Every connection that Keycloak's role may have is in use, and new ones are refused. The evidence names who holds how many. " +
			"None is ended by itself: whose it is, a person has to see. A limit of the role's own counts too.",
		DependsOn: oneServer(postgres.TooManyConnections),
		Fix: []string{
			"sudo -u postgres psql -c 'select pid, usename, application_name, client_addr, state, state_change from pg_stat_activity order by state_change'",
			"sudo -u postgres psql -c \"select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ROLE' and state = 'idle'\"    # not Keycloak's",
			"sudo -u postgres psql -c 'alter role ROLE connection limit 20'    # for good: who takes too many gets a limit of its own",
			"sudo -u postgres psql -c 'show max_connections' -c 'select rolname, rolconnlimit from pg_roles where rolconnlimit >= 0'",
		},
		Drill: "pg-full",
	},
	{
		Code: postgres.NotListeningV6, Title: "PostgreSQL does not listen on ::1", Severity: Critical,
		Explain: "The server runs and listens elsewhere, but not where Keycloak dials. A Keycloak that starts now exits within ten seconds; " +
			"one that runs is cut off. listen_addresses in postgresql.conf lacks ::1, and a reload does not change it: the server has to restart.",
		DependsOn: []Ref{On(nginx.ListenerTaken, "5432")},
		Remedies:  []string{"postgresql.conf", "service.postgresql.restart"},
		Fix:       []string{"sudo -u postgres psql -c 'show listen_addresses'    # wanted: 127.0.0.1,::1", "systemctl restart postgresql"},
		Drill:     "pg-listen",
	},
	{
		Code: postgres.NotListeningV4, Title: "PostgreSQL does not listen on 127.0.0.1", Severity: Info,
		Explain: "The server runs and does not listen on the IPv4 loopback. Keycloak does not need it; tools on this host that dial " +
			"127.0.0.1 do. The site wants both loopbacks.",
		DependsOn: []Ref{On(nginx.ListenerTaken, "5432")},
		Remedies:  []string{"postgresql.conf", "service.postgresql.restart"},
		Fix:       []string{"sudo -u postgres psql -c 'show listen_addresses'    # wanted: 127.0.0.1,::1", "systemctl restart postgresql"},
	},
	{
		Code: postgres.NoHBAEntry, Title: "pg_hba.conf does not let Keycloak in", Severity: Critical,
		Explain: "No line of pg_hba.conf admits Keycloak's role with a password on this path: it is missing, says reject, or an earlier line wants " +
			"another proof. The first line that matches counts. A reload is enough after the edit.",
		DependsOn: onePath(postgres.NoHBAEntry),
		Remedies:  []string{"postgres.hba"},
		Fix:       []string{seeHBA, "systemctl reload postgresql"},
		Drill:     "pg-hba-missing",
	},
	{
		Code: postgres.PasswordRejected, Title: "PostgreSQL rejects Keycloak's password", Severity: Critical,
		Explain: "The server refuses the role with the stored password. Keycloak lives on with the connections that it has and fails when " +
			"they end. To the outside a missing role looks the same; the catalogue tells them apart.",
		DependsOn: slices.Concat(onePath(postgres.PasswordRejected), by(postgres.PasswordDrift, postgres.VerifierNotSCRAM, postgres.RoleMissing)),
		Remedies:  []string{"postgres.role", "postgres.hba"},
		Fix:       []string{"watchdog heal postgres.password-rejected", seeRole},
		Drill:     "pg-password",
	},
	{
		Code: postgres.LoginRefused, Title: "PostgreSQL refuses Keycloak's login", Severity: Critical,
		Explain: "What listens there does not let Keycloak's role in, for a reason that has no name of its own: the right to connect was revoked, " +
			"the database takes no connections, or the server asks for the password in clear, which is never given. The evidence has its words.",
		DependsOn: slices.Concat(onePath(postgres.LoginRefused), by(postgres.AuthCleartext), []Ref{On(nginx.ListenerTaken, "5432")}),
		Remedies:  []string{"postgres.hba", "postgres.role"},
		Fix:       []string{"sudo -u postgres psql -c '\\l+'    # access privileges", "sudo -u postgres psql -c 'grant connect on database DATABASE to ROLE'", seeHBA},
	},
	{
		Code: postgres.RoleMissing, Title: "Keycloak's role is gone", Severity: Critical,
		Explain: "PostgreSQL has no role {subject}. A role can only be dropped once its things belong to another, so it is created again with the " +
			"stored password, the database and Keycloak's tables are given back to it, and the sessions of the old one are ended. If the " +
			"tables were dropped with it, that shows by itself.",
		Remedies: []string{"postgres.role"},
		Fix:      []string{"sudo -u postgres psql -c '\\du'", "watchdog heal postgres.role-missing"},
		Drill:    "pg-role-gone",
	},
	{
		Code: postgres.RoleNoLogin, Title: "Keycloak's role may not log in", Severity: Critical,
		Explain:  "Role {subject} is there and has lost its right to log in: somebody ran alter role … nologin, often before maintenance, and did not take it back.",
		Remedies: []string{"postgres.role"},
		Fix:      []string{"sudo -u postgres psql -c 'alter role {subject} login'"},
		Drill:    "pg-nologin",
	},
	{
		Code: postgres.VerifierNotSCRAM, Title: "Keycloak's password is not stored as SCRAM", Severity: Warning,
		Explain: "The server keeps an MD5 hash of the role's password, or none. An MD5 hash is as good as the password for whoever reads it, and " +
			"a line of pg_hba.conf that wants SCRAM refuses the role. It is stored anew from the secret.",
		Remedies: []string{"postgres.role"},
		Fix:      []string{seeRole, "watchdog heal postgres.verifier-not-scram"},
		Drill:    "pg-verifier",
	},
	{
		Code: postgres.PasswordDrift, Title: "The role has another password than Keycloak", Severity: Critical,
		Explain: "The verifier in PostgreSQL's catalogue was not made of the stored password, or has run out. Keycloak works as long as its open " +
			"connections last and then fails. The role gets the stored password again.",
		Remedies: []string{"postgres.role"},
		Fix:      []string{seeRole, "watchdog heal postgres.password-drift"},
		Drill:    "pg-password",
	},
	{
		Code: postgres.DatabaseMissing, Title: "Keycloak's database is gone", Severity: Critical,
		Explain: "There is no database {subject}: with it went all users, clients and sessions. Nothing is created by itself, for an empty " +
			"database would look like a healthy one. Restore the newest verified backup, which the evidence names: what came after it is lost. " +
			"Only a stack that never had users may start empty.",
		Fix:   restoreDatabase(),
		Drill: "pg-db-gone",
	},
	{
		Code: postgres.NotOwner, Title: "Keycloak's role does not own its tables", Severity: Critical,
		Explain: "Database {subject} or Keycloak's tables in it belong to another role: a dump was restored as the superuser, or things were handed " +
			"over before a role was dropped. Keycloak has its connections and says UP, and every login ends in an error. They are given back " +
			"to its role, and sessions that have lost their rights are ended.",
		DependsOn: by(postgres.RoleMissing),
		Remedies:  []string{"postgres.role"},
		Fix: []string{
			"sudo -u postgres psql -d {subject} -c '\\l' -c '\\dt'    # owners", "watchdog heal postgres.not-owner",
		},
		Drill: "pg-role-gone",
	},
	{
		Code: postgres.MajorMismatch, Title: "The data is of another PostgreSQL version", Severity: Critical,
		Explain: "The data directory was made by PostgreSQL {subject}, and the server that is installed is another: it refuses to start on it. " +
			"The data is whole. Nothing is done by itself: a new data directory would look like a healthy, empty server. Let the old server " +
			"run once more beside the new one and copy everything over.",
		Fix: []string{
			"watchdog pause --for 4h --reason 'upgrading PostgreSQL'    # DATA and NEW are the directory and the version in the evidence",
			"systemctl stop keycloak postgresql; mv DATA DATA-{subject}    # delete nothing",
			"apt-get install postgresql-{subject}    # where the distribution has it no more, from apt.postgresql.org",
			"pg_createcluster -d DATA-{subject} -p 5433 {subject} old && pg_ctlcluster {subject} old start",
			"runuser -u postgres -- /usr/lib/postgresql/NEW/bin/initdb -D DATA -E UTF8 --auth-local=peer --auth-host=scram-sha-256 && systemctl start postgresql",
			"runuser -u postgres -- sh -c 'pg_dumpall -p 5433 | psql -q -p 5432 -d postgres'",
			"systemctl start keycloak && watchdog resume    # then, once all is well: pg_dropcluster --stop {subject} old",
		},
		Drill: "pg-major",
	},
	{
		Code: postgres.AuthTrust, Title: "PostgreSQL asks for no password", Severity: Critical, Door: true,
		Explain: "On this path the server lets anybody in as whoever they say they are: a line of pg_hba.conf says trust. Every process on this " +
			"host can read and change all accounts. It is closed at once; look for what came in meanwhile.",
		DependsOn: onePath(postgres.AuthTrust),
		Remedies:  []string{"postgres.hba"},
		Fix:       []string{seeHBA, "systemctl reload postgresql"},
		Drill:     "pg-hba-trust",
	},
	{
		Code: postgres.AuthMD5, Title: "PostgreSQL asks for an MD5 password", Severity: Warning, Door: true,
		Explain: "A line of pg_hba.conf says md5 and the role's password is stored that way: whoever hears or reads the hash can log in with it. " +
			"The line is put back to scram-sha-256.",
		DependsOn: onePath(postgres.AuthMD5),
		Remedies:  []string{"postgres.hba", "postgres.role"},
		Fix:       []string{seeHBA, "systemctl reload postgresql"},
		Drill:     "pg-hba-trust",
	},
	{
		Code: postgres.AuthCleartext, Title: "PostgreSQL asks for the password in clear", Severity: Critical, Door: true,
		Explain: "A line of pg_hba.conf says password: each login sends it in clear, and whoever takes the port while the server is down is " +
			"given it. This program never sends it so. The line is put back to scram-sha-256.",
		DependsOn: onePath(postgres.AuthCleartext),
		Remedies:  []string{"postgres.hba"},
		Fix:       []string{seeHBA, "systemctl reload postgresql"},
	},
}
