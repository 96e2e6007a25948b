package hands

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes/host"
	"watchdog/probes/host/pgsql"
	"watchdog/remedies"
)

// Exec implements [remedies.SQL]. It logs in as the superuser over the socket,
// which the site's pg_ident maps root to. Its errors never hold the statement:
// a password's verifier may stand in it.
func (w *Hands) Exec(ctx context.Context, database, statement string, args ...any) error {
	conn, err := w.connect(ctx, database)
	if err != nil {
		return fmt.Errorf("log in to database %s: %w", database, refusal(err))
	}
	defer pgsql.HangUp(conn)
	// No transaction is begun: it would keep out "create database".
	if _, err := pgsql.Query(ctx, conn, statement, args...); err != nil {
		return fmt.Errorf("change database %s: %w", database, refusal(err))
	}
	return nil
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
	config, err := pgsql.Config(facts.Layout.PostgresSock, facts.Layout.PostgresPort, database, w.h.Net.Dial)
	if err != nil {
		return nil, err
	}
	return pgconn.ConnectConfig(ctx, config)
}
