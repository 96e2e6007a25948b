package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes/host/pgsql"
)

// heldDatabase is the only one whose connection is held: a connection held to
// any other would keep people from dropping it.
const heldDatabase = "postgres"

// heldFor is how long after its login a connection serves further queries. A
// login costs the server a fork, some 3 ms, so the queries of one round share
// it. The next round logs in anew: a server whose first process hangs goes on
// answering those it knows, for ever.
const heldFor = 5 * time.Second

// database is the machine's own [DB]. It logs in as the superuser over the
// socket, which the site's pg_ident maps root to.
type database struct {
	dial func(ctx context.Context, database string) (*pgconn.PgConn, error)

	mu   sync.Mutex
	held *session // nil also while it is in use
}

// A session is a connection and the time of its login.
type session struct {
	conn  *pgconn.PgConn
	since time.Time
	end   *time.Timer // while it is held
}

// Query implements [DB]. Args are strings, numbers, booleans or nil. A
// [*pgconn.PgError] stays reachable by errors.As.
func (d *database) Query(ctx context.Context, database, statement string, args ...any) ([][]string, error) {
	rows, err := d.query(ctx, database, statement, args)
	if err != nil {
		return nil, fmt.Errorf("query database %s: %w", database, err)
	}
	return rows, nil
}

func (d *database) query(ctx context.Context, database, statement string, args []any) ([][]string, error) {
	if s := d.take(database); s != nil {
		rows, err := readOnly(ctx, s.conn, statement, args)
		d.give(database, s)
		// Whatever ended a connection that lay idle says nothing about the
		// server of now.
		if err == nil || !s.conn.IsClosed() || ctx.Err() != nil {
			return rows, err
		}
	}
	since := time.Now()
	conn, err := d.dial(ctx, database)
	if err != nil {
		return nil, err
	}
	rows, err := readOnly(ctx, conn, statement, args)
	d.give(database, &session{conn: conn, since: since})
	return rows, err
}

// take takes the held session out, if there is one.
func (d *database) take(database string) *session {
	if database != heldDatabase {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.held
	d.held = nil
	if s != nil {
		s.end.Stop()
	}
	return s
}

// give holds a session for the next query, or ends it.
func (d *database) give(database string, s *session) {
	left := heldFor - time.Since(s.since)
	if database == heldDatabase && left > 0 && !s.conn.IsClosed() && s.conn.TxStatus() == 'I' {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.held == nil {
			d.held = s
			s.end = time.AfterFunc(left, func() { d.end(s) })
			return
		}
	}
	go pgsql.HangUp(s.conn)
}

// end ends s if it is still the held one.
func (d *database) end(s *session) {
	d.mu.Lock()
	held := d.held == s
	if held {
		d.held = nil
	}
	d.mu.Unlock()
	if held {
		pgsql.HangUp(s.conn)
	}
}

func (d *database) close() {
	if s := d.take(heldDatabase); s != nil {
		pgsql.HangUp(s.conn)
	}
}

// readOnly runs one statement in a read-only transaction of its own. The
// transaction is begun by a statement, not by a default of the session, which
// a statement could turn off for those after it.
func readOnly(ctx context.Context, conn *pgconn.PgConn, statement string, args []any) ([][]string, error) {
	if _, err := conn.Exec(ctx, "begin transaction read only").ReadAll(); err != nil {
		return nil, err
	}
	rows, err := pgsql.Query(ctx, conn, statement, args...)
	if !conn.IsClosed() {
		if _, ended := conn.Exec(ctx, "rollback").ReadAll(); err == nil {
			err = ended
		}
	}
	return rows, err
}

// dialPostgres connects to the cluster that the machine has at that moment,
// which may not have been there when the facts were read.
func dialPostgres(fsys FS) func(context.Context, string) (*pgconn.PgConn, error) {
	return func(ctx context.Context, database string) (*pgconn.PgConn, error) {
		facts, err := ReadFacts(fsys)
		if err != nil {
			return nil, err
		}
		return dialSocket(ctx, facts.Layout.PostgresSock, facts.Layout.PostgresPort, database)
	}
}

func dialSocket(ctx context.Context, dir string, port int, database string) (*pgconn.PgConn, error) {
	config, err := pgsql.Config(dir, port, database, new(net.Dialer).DialContext)
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(pgsql.Socket(dir, port), err)
	}
	return conn, nil
}

// connectError says in few words what pgconn says in many, with the same cause.
func connectError(socket string, err error) error {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return fmt.Errorf("log in over %s: %w", socket, refusal)
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return dial
	}
	for _, ended := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ended) {
			return fmt.Errorf("connect to %s: no answer: %w", socket, ended)
		}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && connect.Unwrap() != nil {
		err = connect.Unwrap()
	}
	return fmt.Errorf("connect to %s: %w", socket, err)
}
