package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Login logs in as Keycloak does, by one path: a fresh connection, its role,
// its password, one statement.
//
// The password is never given in clear: whoever took the port while the server
// was down could ask for it.
type Login struct {
	Path           Path
	Port           int
	Role, Database string
	Secret         string // name of the password among the generated secrets
}

// Spec implements [probes.Probe].
func (l Login) Spec() probes.Spec {
	codes := []probes.Code{
		Down, Hung, NoHBAEntry, PasswordRejected, LoginRefused,
		RoleMissing, RoleNoLogin, DatabaseMissing, TooManyConnections,
	}
	switch l.Path {
	case V4:
		codes = append(codes, NotListeningV4)
	case V6:
		codes = append(codes, NotListeningV6)
	}
	return probes.Spec{
		ID:      "postgres.login." + l.Path.word(),
		Summary: "Keycloak's role logs in with its password by " + string(l.Path),
		Codes:   codes,
		Every:   30 * time.Second,
		Timeout: timeout,
		Wakes:   wakes(),
	}
}

// Observe implements [probes.Probe]. A server that starts, stops or recovers,
// and a password that is not there yet, mean that it could not look.
func (l Login) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	secret, err := h.Secret(l.Secret)
	if err != nil {
		return nil, err
	}
	if secret.Missing() {
		return nil, fmt.Errorf("log in as %s: there is no secret %s yet", l.Role, l.Secret)
	}
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	connected, err := l.login(within, h, secret)
	if err == nil {
		return nil, nil
	}
	return l.judge(ctx, h, connected, err)
}

// login tells also whether somebody accepted the connection.
func (l Login) login(ctx context.Context, h *host.Host, password host.Secret) (connected bool, err error) {
	// Parsing makes the structure whole; what it has from the environment is
	// overwritten.
	config, err := pgconn.ParseConfig("host=localhost user=nobody sslmode=disable passfile=/dev/null")
	if err != nil {
		return false, fmt.Errorf("make the settings of a connection: %w", err)
	}
	config.User, config.Database, config.Password = l.Role, l.Database, password.Reveal()
	config.RuntimeParams = map[string]string{"application_name": "watchdog"}
	config.RequireAuth = "scram-sha-256,md5,none"
	config.ConnectTimeout, config.Fallbacks, config.ValidateConnect = 0, nil, nil
	config.TLSConfig = nil
	config.MaxProtocolMessageBodyLen = maxMessage
	config.LookupFunc = func(_ context.Context, name string) ([]string, error) { return []string{name}, nil }
	// pgconn dials again, in the background, to cancel a session that it gives
	// up: there is nothing to cancel, and the look would outlive its answer.
	var dialled atomic.Bool
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errors.New("dial: once is enough")
		}
		conn, err := l.Path.dial(ctx, h, l.Port)
		connected = err == nil
		return conn, err
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return connected, inner(err)
	}
	_, err = conn.Exec(ctx, "select 1").ReadAll()
	if closed := conn.Close(ctx); err == nil {
		err = closed
	}
	return connected, err
}

// maxMessage bounds one message of the server, in bytes.
const maxMessage = 64 << 10

// inner takes off err what pgconn puts before it: the role and the database in
// many words, and an address that is not the one dialled.
func inner(err error) error {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	attempt := connect.Unwrap()
	if cause := errors.Unwrap(attempt); cause != nil {
		return cause
	}
	return attempt
}

// judge makes findings of a login that did not work.
func (l Login) judge(ctx context.Context, h *host.Host, connected bool, err error) ([]probes.Finding, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		code := refusal(ctx, h, pg, l.Role)
		if code == "" {
			return nil, fmt.Errorf("log in as %s by %s: %w", l.Role, l.Path, pg)
		}
		found := l.found(h, code, "the server refuses Keycloak's login by "+string(l.Path), said(pg))
		if code == TooManyConnections {
			found[0].Evidence = append(found[0].Evidence, holders(ctx, h)...)
		}
		return found, nil
	case refused(err):
		return l.closed(ctx, h)
	case silent(ctx, err):
		return l.found(h, Hung, "the server accepts connections by "+string(l.Path)+" and does not answer",
			"no answer in time"), nil
	case connected:
		// It closed the connection, asked for what is not given, or is no
		// PostgreSQL at all.
		return l.found(h, LoginRefused, "what listens at "+string(l.Path)+" does not let Keycloak log in", probes.Ending(err)), nil
	}
	return nil, fmt.Errorf("log in as %s by %s: %w", l.Role, l.Path, err)
}

// closed judges a path on which nobody listens: either the server does not run,
// or it runs and listens elsewhere.
func (l Login) closed(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	where, err := runsAt(ctx, h, l.Port, l.Path)
	if err != nil {
		return nil, err
	}
	_, address := l.Path.address(h, l.Port)
	if where == "" {
		return l.found(h, Down, "no PostgreSQL server listens", address+": nobody listens"), nil
	}
	got := address + ": nobody listens; the server listens at " + where
	switch l.Path {
	case V4:
		return l.found(h, NotListeningV4, "PostgreSQL runs and does not listen on 127.0.0.1", got), nil
	case V6:
		return l.found(h, NotListeningV6, "PostgreSQL runs and does not listen on ::1", got), nil
	}
	return l.found(h, Down, "PostgreSQL runs and its socket is gone", got), nil
}

func (l Login) found(h *host.Host, code probes.Code, summary, got string) []probes.Finding {
	_, address := l.Path.address(h, l.Port)
	// What is gone is gone on every path: one fault, whoever finds it.
	subject := string(l.Path)
	switch code {
	case RoleMissing, RoleNoLogin:
		subject = l.Role
	case DatabaseMissing:
		subject = l.Database
	}
	return []probes.Finding{{Code: code, Subject: subject, Summary: summary, Evidence: []probes.Evidence{{
		Source:  address,
		Want:    "login of role " + l.Role + " to database " + l.Database,
		Got:     got,
		Command: l.Path.psql(h, l.Port, l.Role, l.Database),
	}}}}
}
