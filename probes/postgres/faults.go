package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes"
	"watchdog/probes/host"
)

// SQLSTATEs that tell faults apart (PostgreSQL, appendix A).
const (
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
	invalidCatalogName   = "3D000"
	tooManyConnections   = "53300"
	limitExceeded        = "53400"
	operatorIntervention = "57"
)

// routineRole is the server's function that judges a role after its proof was
// accepted. Its name stands in the error and, unlike the message, in one
// language.
const routineRole = "InitializeSessionUserId"

// refused reports whether nobody listens at what was dialled.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}

// silent reports whether err came of waiting: ctx is the one that the look
// itself bounds, and outer, the caller's, is not over.
func silent(outer context.Context, err error) bool {
	if outer.Err() != nil {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return false
	}
	return probes.Late(err)
}

// refusal names the fault behind the server's own error. It is empty for one
// that passes by itself: the server starts, stops or recovers.
func refusal(ctx context.Context, h *host.Host, e *pgconn.PgError, role string) probes.Code {
	switch {
	case e.Code == invalidPassword:
		return PasswordRejected
	case e.Code == invalidCatalogName:
		return DatabaseMissing
	case e.Code == tooManyConnections, e.Code == limitExceeded:
		return TooManyConnections
	case e.Code == invalidAuthorization && e.Routine == routineRole:
		return judgeRole(ctx, h, e, role)
	case e.Code == invalidAuthorization:
		// No line of pg_hba.conf, a line that says reject, or one that wants
		// another proof than the password (peer, ident).
		return NoHBAEntry
	case strings.HasPrefix(e.Code, operatorIntervention):
		return ""
	}
	return LoginRefused
}

// judgeRole tells a role that is not there from one that may not log in. Both
// have the same code; where the words are not English the catalogue knows.
func judgeRole(ctx context.Context, h *host.Host, e *pgconn.PgError, role string) probes.Code {
	switch {
	case strings.Contains(e.Message, "does not exist"):
		return RoleMissing
	case strings.Contains(e.Message, "not permitted to log in"):
		return RoleNoLogin
	}
	rows, err := h.DB.Query(ctx, "postgres", "select rolcanlogin::text from pg_catalog.pg_roles where rolname = $1", role)
	switch {
	case err != nil:
		return LoginRefused
	case len(rows) == 0:
		return RoleMissing
	}
	return RoleNoLogin
}

// said is a server's error as people look it up.
func said(e *pgconn.PgError) string {
	s := fmt.Sprintf("%s: %s (SQLSTATE %s)", e.Severity, e.Message, e.Code)
	if e.Detail != "" {
		s += "; " + e.Detail
	}
	return probes.Clip(s)
}
