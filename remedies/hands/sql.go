package hands

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// goodbye is how long ending a connection may take.
const goodbye = time.Second

// Exec implements [remedies.SQL]. It logs in as the superuser over the socket,
// which the site's pg_ident maps root to. Its errors never hold the statement:
// a password's verifier may stand in it.
func (w *Hands) Exec(ctx context.Context, database, statement string, args ...any) error {
	conn, err := w.connect(ctx, database)
	if err != nil {
		return fmt.Errorf("log in to database %s: %w", database, refusal(err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	params, err := text(args)
	if err == nil {
		// The extended protocol takes one statement and begins no transaction
		// that would keep out "create database".
		err = conn.ExecParams(ctx, statement, params, nil, nil, nil).Read().Err
	}
	if err != nil {
		return fmt.Errorf("change database %s: %w", database, refusal(err))
	}
	return nil
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

// refusal puts the server's own words in place of the library's, which name the
// whole connection.
func refusal(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return &remedies.SQLError{State: said.Code, Message: said.Message}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && connect.Unwrap() != nil {
		return connect.Unwrap()
	}
	return err
}

// connect reads anew where the cluster is: it may not have been there at start.
func (w *Hands) connect(ctx context.Context, database string) (*pgconn.PgConn, error) {
	facts, err := host.ReadFacts(w.h.FS)
	if err != nil {
		return nil, err
	}
	dir, port := facts.Layout.PostgresSock, facts.Layout.PostgresPort
	socket := path.Join(dir, ".s.PGSQL."+strconv.Itoa(port))
	// Parsing makes the structure whole; what it has from the environment and
	// the home directory is overwritten.
	c, err := pgconn.ParseConfig("host=" + dir + " user=postgres sslmode=disable passfile=/dev/null")
	if err != nil {
		return nil, err
	}
	c.Port, c.Database, c.Password = uint16(port), database, ""
	// Whoever owns a database may put functions into its schemas that the
	// superuser would call by mistake.
	c.RuntimeParams = map[string]string{"application_name": "watchdog", "search_path": "pg_catalog"}
	c.ConnectTimeout, c.Fallbacks, c.ValidateConnect = 0, nil, nil
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return w.h.Net.Dial(ctx, "unix", socket)
	}
	return pgconn.ConnectConfig(ctx, c)
}
