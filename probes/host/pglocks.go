package host

import (
	"context"
	"fmt"
)

// A Session is one of PostgreSQL's client sessions that keeps others waiting.
type Session struct {
	PID string
	// Since is when it began, in the server's words: with the PID it is that
	// session and no later one.
	Since string
	// Who is its role, its program and where it comes from, What what it does.
	Who, What string
}

// lockHolders are the sessions that block, perhaps through others, a session of
// database $1 which waits for the row that Keycloak locks while it makes or
// changes its tables. Those that wait themselves are not to blame.
const lockHolders = `with recursive blocked(pid) as (
		select unnest(pg_blocking_pids(w.pid)) from pg_stat_activity w
		where w.datname = $1 and w.wait_event_type = 'Lock' and w.query ilike '%databasechangeloglock%'
		union select unnest(pg_blocking_pids(b.pid)) from blocked b)
	select a.pid::text, a.backend_start::text,
		coalesce(a.usename, '?') || ' with ' || coalesce(nullif(a.application_name, ''), '?') || ' from ' || coalesce(host(a.client_addr), 'the socket'),
		a.state || ' since ' || coalesce(a.state_change::timestamptz(0)::text, '?')
	from blocked b join pg_stat_activity a on a.pid = b.pid
	where a.backend_type = 'client backend' and cardinality(pg_blocking_pids(a.pid)) = 0
	order by a.pid`

// SchemaLockHolders lists the sessions for which a start of Keycloak waits before
// it looks after the tables of its database. It waits without a word in its log.
// Another Keycloak's start is among them, while it makes the tables.
func (h *Host) SchemaLockHolders(ctx context.Context, database string) ([]Session, error) {
	rows, err := h.DB.Query(ctx, "postgres", lockHolders, database)
	if err != nil {
		return nil, fmt.Errorf("read who holds Keycloak's schema lock: %w", err)
	}
	var out []Session
	for _, r := range rows {
		if len(r) != 4 {
			return nil, fmt.Errorf("read who holds Keycloak's schema lock: unexpected answer %q", r)
		}
		out = append(out, Session{PID: r[0], Since: r[1], Who: r[2], What: r[3]})
	}
	return out, nil
}
