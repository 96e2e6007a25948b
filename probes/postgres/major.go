package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Major compares the version that the data directory was made by with the
// server's: PostgreSQL reads only data of its own major version, and after an
// upgrade of its package it does not start on the old ones. The data is whole all
// the same.
type Major struct{}

// Spec implements [probes.Probe].
func (m Major) Spec() probes.Spec {
	return probes.Spec{
		ID:      "postgres.major",
		Summary: "the data directory is of the server's major version",
		Codes:   []probes.Code{MajorMismatch},
		Every:   30 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "postgresql"}},
	}
}

// Observe implements [probes.Probe].
func (m Major) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := h.Facts.Layout
	file := l.PostgresData + "/PG_VERSION"
	text, err := h.FS.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the version of PostgreSQL's data: %w", err)
	}
	of := strings.TrimSpace(string(text))
	major, err := strconv.Atoi(of)
	if err != nil {
		return nil, fmt.Errorf("read the version of PostgreSQL's data: %s holds %q", file, probes.Clip(of))
	}
	if major == l.PostgresMajor {
		return nil, nil
	}
	return []probes.Finding{{
		Code: MajorMismatch, Subject: of,
		Summary: fmt.Sprintf("the data directory was made by PostgreSQL %d, and the server is PostgreSQL %d", major, l.PostgresMajor),
		Evidence: []probes.Evidence{{
			Source: file, Want: fmt.Sprintf("%d, the version of the server in %s", l.PostgresMajor, l.PostgresBin), Got: of,
			Command: "cat " + file + "; " + l.PostgresBin + "/postgres --version",
		}},
	}}, nil
}
