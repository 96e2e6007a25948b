package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Server asks as the superuser, over the socket, whether the server answers
// and has connections left.
type Server struct {
	Port    int
	Service string // "postgresql"
}

// Spec implements [probes.Probe].
func (s Server) Spec() probes.Spec {
	return probes.Spec{
		ID:      "postgres.server",
		Summary: "the server answers its superuser and has connections left",
		Codes:   []probes.Code{Down, Hung, TooManyConnections},
		Every:   10 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "postgresql"}},
	}
}

// subject of what the superuser sees.
const subjectServer = "server"

// connections counts what ordinary roles use of what they may.
const connections = `select count(*)::text,
	(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)::text
	from pg_catalog.pg_stat_activity where backend_type = 'client backend'`

// Observe implements [probes.Probe]. A server that starts, stops or recovers
// means that it could not look.
func (s Server) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	rows, err := h.DB.Query(within, "postgres", connections)
	if err != nil {
		return s.judge(ctx, h, err)
	}
	if len(rows) != 1 || len(rows[0]) != 2 {
		return nil, fmt.Errorf("count connections: unexpected answer %q", rows)
	}
	used, err1 := strconv.Atoi(rows[0][0])
	most, err2 := strconv.Atoi(rows[0][1])
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("count connections: %w", err)
	}
	if used < most {
		return nil, nil
	}
	return s.full(within, h, fmt.Sprintf("all %d connections are in use", most)), nil
}

func (s Server) judge(ctx context.Context, h *host.Host, err error) ([]probes.Finding, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	_, socket := Socket.address(h, s.Port)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && (pg.Code == tooManyConnections || pg.Code == limitExceeded):
		return s.full(ctx, h, said(pg)), nil
	case refused(err):
		where, err := runsAt(ctx, h, s.Port, Socket)
		if err != nil {
			return nil, err
		}
		got := socket + ": nobody listens"
		if where != "" {
			got += "; the server listens at " + where
		}
		return s.found(h, Down, "no PostgreSQL server answers at its socket", got), nil
	case silent(ctx, err):
		return s.found(h, Hung, "the server does not answer its superuser", "no answer in time"), nil
	}
	return nil, err
}

func (s Server) full(ctx context.Context, h *host.Host, got string) []probes.Finding {
	found := s.found(h, TooManyConnections, "PostgreSQL has no connection left", got)
	found[0].Evidence = append(found[0].Evidence, holders(ctx, h)...)
	return found
}

func (s Server) found(h *host.Host, code probes.Code, summary, got string) []probes.Finding {
	_, socket := Socket.address(h, s.Port)
	return []probes.Finding{{Code: code, Subject: subjectServer, Summary: summary, Evidence: []probes.Evidence{{
		Source:  socket,
		Want:    "an answer to the superuser, and connections left",
		Got:     got,
		Command: "systemctl status " + h.Facts.Layout.Unit(s.Service) + "; sudo -u postgres psql -c 'select 1'",
	}}}}
}
