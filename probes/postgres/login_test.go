package postgres

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func listener(address string, pid int, program string) host.Listener {
	return host.Listener{Addr: netip.MustParseAddrPort(address), V6Only: true, PID: pid, Program: program}
}

func login(p Path) Login {
	return Login{Path: p, Port: 5432, Role: "keycloak", Database: "keycloak", Secret: "keycloak-db"}
}

// refuses is a machine whose server says e once the password is there.
func refuses(address, code, message, routine string) []hosttest.Option {
	b := &backend{ask: sasl, then: fatal(code, message, routine)}
	return []hosttest.Option{b.on(address), listens(v4, v6)}
}

// cases are those that every path has, with the messages measured on
// PostgreSQL 15.
func cases(p Path, address string) map[string]probetest.Case {
	at := " " + string(p)
	return map[string]probetest.Case{
		"lets in":        {Host: []hosttest.Option{(&backend{ask: trust}).on(address)}},
		"by MD5":         {Host: []hosttest.Option{(&backend{ask: md5}).on(address)}},
		"wants clear":    {Host: []hosttest.Option{(&backend{ask: clear}).on(address)}, Want: []string{"postgres.login-refused" + at}, Says: []string{"requested password authentication"}},
		"says nothing":   {Host: []hosttest.Option{hosttest.Serve(address, hosttest.Hang)}, Deadline: 600 * time.Millisecond, Want: []string{"postgres.hung" + at}},
		"closes":         {Host: []hosttest.Option{hosttest.Serve(address, hosttest.Close)}, Want: []string{"postgres.login-refused" + at}},
		"something else": {Host: []hosttest.Option{hosttest.Serve(address, hosttest.Say("HTTP/1.1 400 Bad Request\r\n\r\n"))}, Want: []string{"postgres.login-refused" + at}},
		"nobody listens": {Want: []string{"postgres.down" + at}},
		"a stranger on the port elsewhere": {Host: []hosttest.Option{hosttest.Listeners(listener("[::]:5432", 9, "nc"))},
			Want: []string{"postgres.down" + at}},
		"no line": {Host: []hosttest.Option{(&backend{ask: fatal("28000", `no pg_hba.conf entry for host "::1", user "keycloak", database "keycloak", no encryption`, "ClientAuthentication")}).on(address)},
			Want: []string{"postgres.no-hba-entry" + at}, Says: []string{"no pg_hba.conf entry", "SQLSTATE 28000"}},
		"peer": {Host: []hosttest.Option{(&backend{ask: fatal("28000", `Peer authentication failed for user "keycloak"`, "auth_failed")}).on(address)},
			Want: []string{"postgres.no-hba-entry" + at}},
		"wrong password": {Host: refuses(address, "28P01", `password authentication failed for user "keycloak"`, "auth_failed"),
			Want: []string{"postgres.password-rejected" + at}},
		"no role":         {Host: refuses(address, "28000", `role "keycloak" does not exist`, "InitializeSessionUserId"), Want: []string{"postgres.role-missing keycloak"}},
		"no login":        {Host: refuses(address, "28000", `role "keycloak" is not permitted to log in`, "InitializeSessionUserId"), Want: []string{"postgres.role-nologin keycloak"}},
		"no database":     {Host: refuses(address, "3D000", `database "keycloak" does not exist`, "InitPostgres"), Want: []string{"postgres.database-missing keycloak"}},
		"full":            {Host: refuses(address, "53300", "sorry, too many clients already", "InitProcess"), Want: []string{"postgres.too-many-connections" + at}},
		"limit of role":   {Host: refuses(address, "53300", `too many connections for role "keycloak"`, "InitializeSessionUserId"), Want: []string{"postgres.too-many-connections" + at}},
		"may not connect": {Host: refuses(address, "42501", `permission denied for database "keycloak"`, "CheckMyDatabase"), Want: []string{"postgres.login-refused" + at}, Says: []string{"permission denied"}},
		"starts":          {Host: []hosttest.Option{(&backend{ask: fatal("57P03", "the database system is starting up", "ProcessStartupPacket")}).on(address)}, Err: "starting up"},
		"in German, no role": {Host: append(refuses(address, "28000", `Rolle »keycloak« existiert nicht`, "InitializeSessionUserId"), hosttest.Rows("from pg_catalog.pg_roles")),
			Want: []string{"postgres.role-missing keycloak"}},
		"in German, no login": {Host: append(refuses(address, "28000", `Rolle »keycloak« hat keine Berechtigung zum Einloggen`, "InitializeSessionUserId"), hosttest.Rows("from pg_catalog.pg_roles", []string{"false"})),
			Want: []string{"postgres.role-nologin keycloak"}},
		"no secret":    {Host: []hosttest.Option{(&backend{ask: trust}).on(address), hosttest.Node(host.SecretDir+"/keycloak-db", nil)}, Err: "no secret keycloak-db"},
		"not for us":   {Host: []hosttest.Option{hosttest.Refuse(address, errAccess)}, Err: "permission denied"},
		"open secret":  {Host: []hosttest.Option{hosttest.File(host.SecretDir+"/keycloak-db", "x")}, Err: "lets others read it"},
		"after a fork": {Host: []hosttest.Option{(&backend{ask: trust, then: fatal("57P01", "terminating connection due to administrator command", "ProcessInterrupts")}).on(address)}, Err: "administrator"},
	}
}

func TestLogin(t *testing.T) {
	for p, address := range map[Path]string{Socket: sock, V4: v4, V6: v6} {
		t.Run(string(p), func(t *testing.T) {
			all := cases(p, address)
			switch p {
			case Socket:
				all["socket gone"] = probetest.Case{Host: []hosttest.Option{listens(v4)}, Want: []string{"postgres.down socket"}, Says: []string{"127.0.0.1:5432"}}
			case V4:
				all["listens on ::1 only"] = probetest.Case{Host: []hosttest.Option{listens(v6)}, Want: []string{"postgres.not-listening-v4 127.0.0.1"}}
			case V6:
				all["listens on 127.0.0.1 only"] = probetest.Case{Host: []hosttest.Option{listens(v4)}, Want: []string{"postgres.not-listening-v6 ::1"}, Says: []string{"127.0.0.1:5432"}}
				all["listens on the socket only"] = probetest.Case{Host: []hosttest.Option{(&backend{ask: trust}).on(sock)}, Want: []string{"postgres.not-listening-v6 ::1"}, Says: []string{sock}}
			}
			probetest.Suite{Probe: login(p), Cases: all}.Run(t)
		})
	}
}

// Whoever asks for the password in clear does not get it.
func TestPasswordStaysHere(t *testing.T) {
	b := &backend{ask: clear}
	h := hosttest.New(append(probetest.Secrets(), b.on(v6))...)
	if _, err := login(V6).Observe(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.saw {
		if p, ok := m.(*pgproto3.PasswordMessage); ok {
			t.Errorf("the password was sent: %d bytes", len(p.Password))
		}
	}
}

// The environment of the process changes nothing.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{"PGHOST": "192.0.2.1", "PGUSER": "x", "PGDATABASE": "x", "PGSSLMODE": "require", "PGOPTIONS": "-c x=y", "PGREQUIREAUTH": "password"} {
		t.Setenv(name, value)
	}
	h := hosttest.New(append(probetest.Secrets(), (&backend{ask: trust}).on(v6))...)
	r := probes.Look(context.Background(), h, login(V6))
	if r.State != probes.OK {
		t.Errorf("got %s, %v, %v; want ok", r.State, r.Findings, r.Err)
	}
}
