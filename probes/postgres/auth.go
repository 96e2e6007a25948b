package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"watchdog/probes"
	"watchdog/probes/host"
)

// An Auth asks the server, on each path, how it wants to be convinced: the
// first message after the start of a connection says so, before any password is
// sent and whether or not the role exists.
//
// The superuser is asked for over TCP only. By the socket root is let in as the
// superuser, which on the wire looks like trust.
type Auth struct {
	Port                      int
	Role, Database, Superuser string
}

// Spec implements [probes.Probe].
func (a Auth) Spec() probes.Spec {
	return probes.Spec{
		ID:      "postgres.auth",
		Summary: "the server wants SCRAM of Keycloak and of the superuser",
		Codes:   []probes.Code{AuthTrust, AuthMD5, AuthCleartext},
		Every:   10 * time.Second,
		Timeout: timeout,
		Wakes:   wakes(),
	}
}

// wakes are the events that may change who is let in, and how.
func wakes() []probes.Wake {
	return []probes.Wake{{Kind: probes.WakeUnit, Name: "postgresql"}, {Kind: probes.WakeFile, Name: "{postgres}/pg_hba.conf"}}
}

// A method is how a server answers the start of a connection.
type method string

const (
	methodSCRAM     method = "SCRAM-SHA-256"
	methodTrust     method = "trust"
	methodMD5       method = "md5"
	methodCleartext method = "cleartext password"
	methodNone      method = "none: it refuses" // not this probe's fault to tell
)

// Observe implements [probes.Probe]. A path on which nobody listens lets nobody
// in; when that is so of all of them, it could not look.
func (a Auth) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	var found []probes.Finding
	var errs []error
	looked := false
	for _, path := range Paths {
		roles := []string{a.Role}
		if path != Socket && a.Superuser != "" {
			roles = append(roles, a.Superuser)
		}
		for _, role := range roles {
			m, err := a.ask(within, h, path, role)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case refused(err):
				continue
			case err != nil:
				errs = append(errs, fmt.Errorf("ask how %s may log in by %s: %w", role, path, err))
				continue
			}
			looked = true
			if f, ok := a.judge(h, path, role, m); ok && !slices.ContainsFunc(found, func(g probes.Finding) bool { return g.Code == f.Code && g.Subject == f.Subject }) {
				found = append(found, f)
			}
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case !looked:
		return nil, errors.New("ask how to log in: no server listens on any path")
	}
	return nil, nil
}

// ask starts a connection and leaves after the first answer.
func (a Auth) ask(ctx context.Context, h *host.Host, path Path, role string) (method, error) {
	conn, err := path.dial(ctx, h, a.Port)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	front := pgproto3.NewFrontend(conn, conn)
	front.SetMaxBodyLen(maxMessage)
	front.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": role, "database": a.Database, "application_name": "watchdog"},
	})
	if err := front.Flush(); err != nil {
		return "", err
	}
	message, err := front.Receive()
	if err != nil {
		return "", err
	}
	m, err := methodOf(message)
	if m == methodTrust {
		front.Send(&pgproto3.Terminate{})
		_ = front.Flush()
	}
	return m, err
}

// methodOf reads the first message. A server's error is an answer when it is
// about who may log in, and blindness when it is not.
func methodOf(message pgproto3.BackendMessage) (method, error) {
	switch m := message.(type) {
	case *pgproto3.AuthenticationOk:
		return methodTrust, nil
	case *pgproto3.AuthenticationMD5Password:
		return methodMD5, nil
	case *pgproto3.AuthenticationCleartextPassword:
		return methodCleartext, nil
	case *pgproto3.AuthenticationSASL:
		if slices.Contains(m.AuthMechanisms, string(methodSCRAM)) {
			return methodSCRAM, nil
		}
		return "", fmt.Errorf("the server offers %q, not %s", m.AuthMechanisms, methodSCRAM)
	case *pgproto3.ErrorResponse:
		if m.Code == invalidAuthorization {
			return methodNone, nil
		}
		return "", pgconn.ErrorResponseToPgError(m)
	}
	return "", fmt.Errorf("the server begins with %T", message)
}

func (a Auth) judge(h *host.Host, path Path, role string, m method) (probes.Finding, bool) {
	var code probes.Code
	var summary string
	switch m {
	case methodTrust:
		code, summary = AuthTrust, "anybody on this host is let in as "+role+" by "+string(path)+" without a password"
	case methodMD5:
		code, summary = AuthMD5, "the server wants an MD5 password of "+role+" by "+string(path)
	case methodCleartext:
		code, summary = AuthCleartext, "the server wants the password of "+role+" in clear by "+string(path)
	default:
		return probes.Finding{}, false
	}
	_, address := path.address(h, a.Port)
	return probes.Finding{Code: code, Subject: string(path), Summary: summary, Evidence: []probes.Evidence{{
		Source:  address,
		Want:    "authentication of " + role + " by " + string(methodSCRAM),
		Got:     string(m),
		Command: "sudo -u postgres psql -c 'select line_number, type, database, user_name, address, auth_method from pg_hba_file_rules'",
	}}}, true
}
