package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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
	params, err := textParams(args)
	if err != nil {
		return nil, fmt.Errorf("query database %s: %w", database, err)
	}
	rows, err := d.query(ctx, database, statement, params)
	if err != nil {
		return nil, fmt.Errorf("query database %s: %w", database, err)
	}
	return rows, nil
}

func (d *database) query(ctx context.Context, database, statement string, params [][]byte) ([][]string, error) {
	if s := d.take(database); s != nil {
		rows, err := readOnly(ctx, s.conn, statement, params)
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
	rows, err := readOnly(ctx, conn, statement, params)
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
	go hangUp(s.conn)
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
		hangUp(s.conn)
	}
}

func (d *database) close() {
	if s := d.take(heldDatabase); s != nil {
		hangUp(s.conn)
	}
}

// hangUp says goodbye, or just goes when nobody listens.
func hangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// readOnly runs one statement in a read-only transaction of its own. The
// transaction is begun by a statement, not by a default of the session, which
// a statement could turn off for those after it.
func readOnly(ctx context.Context, conn *pgconn.PgConn, statement string, params [][]byte) ([][]string, error) {
	if _, err := conn.Exec(ctx, "begin transaction read only").ReadAll(); err != nil {
		return nil, err
	}
	// One statement only: the extended protocol takes no second one.
	result := conn.ExecParams(ctx, statement, params, nil, nil, nil).Read()
	if conn.IsClosed() {
		return nil, result.Err
	}
	_, err := conn.Exec(ctx, "rollback").ReadAll()
	if result.Err != nil {
		return nil, result.Err
	}
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = make([]string, len(row))
		for j, value := range row {
			rows[i][j] = string(value)
		}
	}
	return rows, nil
}

// textParams puts arguments into PostgreSQL's text format; the server knows
// their types.
func textParams(args []any) ([][]byte, error) {
	params := make([][]byte, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case nil:
		case string:
			params[i] = []byte(v)
		case bool, int, int32, int64, uint16, uint32, float64:
			params[i] = fmt.Append(nil, v)
		default:
			return nil, fmt.Errorf("argument %d: type %T is not supported", i+1, arg)
		}
	}
	return params, nil
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
	socket := path.Join(dir, ".s.PGSQL."+strconv.Itoa(port))
	// Parsing makes the structure whole; what it has from the environment and
	// the home directory is overwritten.
	config, err := pgconn.ParseConfig("host=" + dir + " user=postgres sslmode=disable passfile=/dev/null")
	if err != nil {
		return nil, fmt.Errorf("make the settings for %s: %w", socket, err)
	}
	config.Port, config.Database, config.Password = uint16(port), database, ""
	// Whoever owns a database may put functions into its schemas that the
	// superuser would call by mistake.
	config.RuntimeParams = map[string]string{"application_name": "watchdog", "search_path": "pg_catalog"}
	config.ConnectTimeout, config.Fallbacks, config.ValidateConnect = 0, nil, nil
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(socket, err)
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
