// Package pgsql is how the host's view and the hands speak to the machine's own
// PostgreSQL server: as the superuser over the socket, which the site's pg_ident
// maps root to. Nobody else may, since such a session can do everything.
//
//	config, err := pgsql.Config("/var/run/postgresql", 5432, "postgres", dial)
//	conn, err := pgconn.ConnectConfig(ctx, config)
//	defer pgsql.HangUp(conn)
//	rows, err := pgsql.Query(ctx, conn, "select rolcanlogin from pg_roles where rolname = $1", "keycloak")
package pgsql

import (
	"context"
	"fmt"
	"net"
	"path"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// goodbye is how long ending a session may take.
const goodbye = time.Second

// Socket is the path of the socket that a server of that port has in dir.
func Socket(dir string, port int) string {
	return path.Join(dir, ".s.PGSQL."+strconv.Itoa(port))
}

// Config is the settings of a session in database; dial is called with "unix"
// and the socket's path only.
func Config(dir string, port int, database string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*pgconn.Config, error) {
	socket := Socket(dir, port)
	// Parsing makes the structure whole; what it has from the environment and
	// the home directory is overwritten.
	c, err := pgconn.ParseConfig("host=" + dir + " user=postgres sslmode=disable passfile=/dev/null")
	if err != nil {
		return nil, fmt.Errorf("make the settings for %s: %w", socket, err)
	}
	c.Port, c.Database, c.Password = uint16(port), database, ""
	// Whoever owns a database may put functions into its schemas that the
	// superuser would call by mistake.
	c.RuntimeParams = map[string]string{"application_name": "watchdog", "search_path": "pg_catalog"}
	c.ConnectTimeout, c.Fallbacks, c.ValidateConnect = 0, nil, nil
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", socket) }
	return c, nil
}

// Query runs one statement: the extended protocol takes no second one. Args are
// strings, numbers, booleans or nil; a NULL in a row becomes an empty string.
func Query(ctx context.Context, conn *pgconn.PgConn, statement string, args ...any) ([][]string, error) {
	params, err := text(args)
	if err != nil {
		return nil, err
	}
	result := conn.ExecParams(ctx, statement, params, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
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

// text puts arguments into PostgreSQL's text format; the server knows their
// types.
func text(args []any) ([][]byte, error) {
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

// HangUp says goodbye, or just goes when nobody listens.
func HangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = conn.Close(ctx)
}
