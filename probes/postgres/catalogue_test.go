package postgres

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes/format/scram"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

var errAccess = os.NewSyscallError("connect", syscall.EACCES)

func TestCatalogue(t *testing.T) {
	const role, database = "from pg_catalog.pg_authid", "from pg_catalog.pg_database"
	good, err := scram.New(probetest.Secret+"-keycloak-db", []byte("0123456789abcdef"), scram.Iterations)
	if err != nil {
		t.Fatal(err)
	}
	other, err := scram.New("another", []byte("0123456789abcdef"), scram.Iterations)
	if err != nil {
		t.Fatal(err)
	}
	const owners = "datname = current_database()"
	mine := hosttest.Rows(owners)
	has := func(m *hosttest.Machine) { hosttest.Rows(database, []string{"keycloak"})(m); mine(m) }
	is := func(login, verifier, expired string) hosttest.Option {
		return hosttest.Rows(role, []string{login, verifier, expired})
	}
	refuses := func(string, ...any) ([][]string, error) { return nil, errors.New("refused") }
	// The newest was never verified.
	const older, newest = "/var/backups/watchdog/backup-20261122T023000Z", "/var/backups/watchdog/backup-20261123T023000Z"
	backups := []hosttest.Option{
		hosttest.File(older+"/manifest.json", `{"made":"2026-11-22T02:30:00Z","verified":true,"files":{"keycloak.dump":{"size":5}}}`), hosttest.File(older+"/keycloak.dump", "PGDMP"),
		hosttest.File(newest+"/manifest.json", `{"made":"2026-11-23T02:30:00Z","files":{"keycloak.dump":{"size":5}}}`), hosttest.File(newest+"/keycloak.dump", "PGDMP"),
	}
	probetest.Suite{
		Probe: Catalogue{Role: "keycloak", Database: "keycloak", Secret: "keycloak-db", Backups: "/var/backups/watchdog"},
		Cases: map[string]probetest.Case{
			"well":        {Host: []hosttest.Option{has, is("true", good, "false")}},
			"no role":     {Host: []hosttest.Option{has, hosttest.Rows(role)}, Want: []string{"postgres.role-missing keycloak"}},
			"no login":    {Host: []hosttest.Option{has, is("false", good, "false")}, Want: []string{"postgres.role-nologin keycloak"}},
			"md5":         {Host: []hosttest.Option{has, is("true", "md55f4dcc3b5aa765d61d8327deb882cf99", "false")}, Want: []string{"postgres.verifier-not-scram keycloak"}, Says: []string{"kind md5"}},
			"no password": {Host: []hosttest.Option{has, is("true", "", "false")}, Want: []string{"postgres.verifier-not-scram keycloak"}, Says: []string{"kind none"}},
			"in clear":    {Host: []hosttest.Option{has, is("true", probetest.Secret, "false")}, Want: []string{"postgres.verifier-not-scram keycloak"}, Says: []string{"kind unknown"}},
			"another":     {Host: []hosttest.Option{has, is("true", other, "false")}, Want: []string{"postgres.password-drift keycloak"}},
			"expired":     {Host: []hosttest.Option{has, is("true", good, "true")}, Want: []string{"postgres.password-drift keycloak"}, Says: []string{"expired"}},
			"no database": {Host: []hosttest.Option{hosttest.Rows(database), is("true", good, "false")}, Want: []string{"postgres.database-missing keycloak"}, Says: []string{"/var/backups/watchdog", "watchdog backup list"}},
			"no database, backups": {Host: append(backups, hosttest.Rows(database), is("true", good, "false")), Want: []string{"postgres.database-missing keycloak"},
				Says: []string{"backup-20261122T023000Z, made 2026-11-22T02:30:00Z", "-d postgres < /var/backups/watchdog/backup-20261122T023000Z/keycloak.dump"}},
			"another's":          {Host: []hosttest.Option{has, hosttest.Rows(owners, []string{"10", "postgres"}, []string{"17", "old"}), is("true", good, "false")}, Want: []string{"postgres.not-owner keycloak"}, Says: []string{"owner postgres, old"}},
			"owners unseen":      {Host: []hosttest.Option{has, hosttest.Answer(owners, refuses), is("true", good, "false")}, Err: "read who owns database keycloak"},
			"another's, no role": {Host: []hosttest.Option{has, hosttest.Rows(owners, []string{"10", "postgres"}), hosttest.Rows(role)}, Want: []string{"postgres.role-missing keycloak"}},
			"nothing":            {Host: []hosttest.Option{hosttest.Rows(database), hosttest.Rows(role)}, Want: []string{"postgres.role-missing keycloak", "postgres.database-missing keycloak"}},
			"no secret":          {Host: []hosttest.Option{has, is("true", good, "false"), hosttest.Node(host.SecretDir+"/keycloak-db", nil)}, Err: "no secret keycloak-db"},
			"not root":           {Host: []hosttest.Option{hosttest.NoDB(&pgconn.PgError{Severity: "FATAL", Code: "28000", Message: "Peer authentication failed"})}, Err: "Peer authentication failed"},
			"two at a time":      {Host: []hosttest.Option{has, is("false", other, "false")}, Want: []string{"postgres.role-nologin keycloak", "postgres.password-drift keycloak"}},
		},
	}.Run(t)
}

func TestServer(t *testing.T) {
	const count, who = "current_setting('max_connections')", "from pg_stat_activity where backend_type = 'client backend' group by"
	down := hosttest.NoDB(os.NewSyscallError("connect", syscall.ENOENT))
	probetest.Suite{
		Probe: Server{Port: 5432, Service: "postgresql"},
		Cases: map[string]probetest.Case{
			"well": {Host: []hosttest.Option{hosttest.Rows(count, []string{"5", "97"})}},
			"full": {Host: []hosttest.Option{hosttest.Rows(count, []string{"97", "97"}), hosttest.Rows(who, []string{"report", "psql", "::1", "93", "90"}, []string{"keycloak", "PostgreSQL JDBC Driver", "::1", "4", "4"})},
				Want: []string{"postgres.too-many-connections server"}, Says: []string{"all 97", "report with psql from ::1: 93, 90 of them idle; keycloak with PostgreSQL JDBC Driver from ::1: 4"}},
			"full for the superuser": {Host: []hosttest.Option{hosttest.NoDB(&pgconn.PgError{Severity: "FATAL", Code: "53300", Message: "sorry, too many clients already"})},
				Want: []string{"postgres.too-many-connections server"}, Says: []string{"sorry, too many clients"}},
			"down":        {Host: []hosttest.Option{down}, Want: []string{"postgres.down server"}},
			"refused":     {Host: []hosttest.Option{hosttest.NoDB(os.NewSyscallError("connect", syscall.ECONNREFUSED))}, Want: []string{"postgres.down server"}},
			"socket gone": {Host: []hosttest.Option{down, listens(v6)}, Want: []string{"postgres.down server"}, Says: []string{"[::1]:5432"}},
			"hung": {Deadline: 600 * time.Millisecond, Host: []hosttest.Option{hosttest.NoDB(context.DeadlineExceeded)},
				Want: []string{"postgres.hung server"}},
			"starts":  {Host: []hosttest.Option{hosttest.NoDB(&pgconn.PgError{Severity: "FATAL", Code: "57P03", Message: "the database system is starting up"})}, Err: "starting up"},
			"strange": {Host: []hosttest.Option{hosttest.Rows(count, []string{"x", "97"})}, Err: "count connections"},
		},
	}.Run(t)
}

func TestMajor(t *testing.T) {
	const data = "/var/lib/postgresql/15/main"
	version := func(text string) []hosttest.Option {
		return []hosttest.Option{hosttest.File(data+"/PG_VERSION", text), hosttest.Facts(func(f *host.Facts) { f.Layout.PostgresData, f.Layout.PostgresMajor = data, 15 })}
	}
	probetest.Suite{
		Probe: Major{},
		Cases: map[string]probetest.Case{
			"the same":   {Host: version("15\n")},
			"older":      {Host: version("13\n"), Want: []string{"postgres.major-mismatch 13"}, Says: []string{"made by PostgreSQL 13, and the server is PostgreSQL 15", data + "/PG_VERSION"}},
			"newer":      {Host: version("17\n"), Want: []string{"postgres.major-mismatch 17"}},
			"nonsense":   {Host: version("fifteen\n"), Err: `holds "fifteen"`},
			"no cluster": {Err: "read the version of PostgreSQL's data"},
		},
	}.Run(t)
}

func TestAuth(t *testing.T) {
	everywhere := func(b *backend) []hosttest.Option {
		return []hosttest.Option{b.on(sock), b.on(v4), b.on(v6)}
	}
	noLine := fatal("28000", "no pg_hba.conf entry", "ClientAuthentication")
	good := &backend{ask: sasl}
	probetest.Suite{
		Probe: Auth{Port: 5432, Role: "keycloak", Database: "keycloak", Superuser: "postgres"},
		Cases: map[string]probetest.Case{
			"well":                              {Host: everywhere(good)},
			"trust":                             {Host: everywhere(&backend{ask: trust}), Want: []string{"postgres.auth-trust socket", "postgres.auth-trust 127.0.0.1", "postgres.auth-trust ::1"}},
			"trust on v6":                       {Host: append(everywhere(good), (&backend{ask: trust}).on(v6)), Want: []string{"postgres.auth-trust ::1"}, Says: []string{"keycloak by ::1"}},
			"superuser":                         {Host: append(everywhere(good), (&backend{ask: sasl, asked: map[string]pgMessage{"postgres": trust}}).on(v4)), Want: []string{"postgres.auth-trust 127.0.0.1"}, Says: []string{"postgres by 127.0.0.1"}},
			"superuser by the socket is let in": {Host: append(everywhere(good), (&backend{ask: sasl, asked: map[string]pgMessage{"postgres": trust}}).on(sock))},
			"md5":                               {Host: append(everywhere(good), (&backend{ask: md5}).on(v6)), Want: []string{"postgres.auth-md5 ::1"}},
			"clear":                             {Host: append(everywhere(good), (&backend{ask: clear}).on(sock)), Want: []string{"postgres.auth-cleartext socket"}},
			"no line":                           {Host: append(everywhere(good), (&backend{ask: noLine}).on(v6))},
			"one path":                          {Host: []hosttest.Option{good.on(sock)}},
			"no path":                           {Err: "no server listens on any path"},
			"starts":                            {Host: everywhere(&backend{ask: fatal("57P03", "the database system is starting up", "")}), Err: "starting up"},
			"one in need":                       {Host: append(everywhere(&backend{ask: trust}), hosttest.Refuse(sock, errAccess)), Want: []string{"postgres.auth-trust 127.0.0.1", "postgres.auth-trust ::1"}},
			"one unseen":                        {Host: append(everywhere(good), hosttest.Refuse(sock, errAccess)), Err: "permission denied"},
			"says nothing":                      {Host: append(everywhere(good), hosttest.Serve(v6, hosttest.Hang)), Deadline: 600 * time.Millisecond, Err: "by ::1"},
			"no server of PostgreSQL":           {Host: append(everywhere(good), hosttest.Serve(v6, hosttest.Say("SSH-2.0-OpenSSH\r\n"))), Err: "by ::1"},
		},
	}.Run(t)
}
