package postgres

import (
	"context"
	"fmt"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// heldBy counts the connections of each role, program and client; what comes by
// the socket has no address.
const heldBy = `select coalesce(usename, '?'), coalesce(nullif(application_name, ''), '?'), coalesce(host(client_addr), 'the socket'),
	count(*)::text, count(*) filter (where state like 'idle%')::text
	from pg_stat_activity where backend_type = 'client backend'
	group by 1, 2, 3 order by count(*) desc, 1, 2, 3 limit 5`

// holders is the evidence of who holds the most connections; none where the
// server does not answer its superuser either.
func holders(ctx context.Context, h *host.Host) []probes.Evidence {
	rows, err := h.DB.Query(ctx, "postgres", heldBy)
	if err != nil || len(rows) == 0 {
		return nil
	}
	var who []string
	for _, r := range rows {
		if len(r) == 5 {
			who = append(who, fmt.Sprintf("%s with %s from %s: %s, %s of them idle", r[0], r[1], r[2], r[3], r[4]))
		}
	}
	return []probes.Evidence{{
		Source: "pg_stat_activity", Want: "no role, program or client that keeps connections for nothing", Got: probes.Clip(strings.Join(who, "; ")),
		Command: "sudo -u postgres psql -c 'select usename, application_name, client_addr, state, count(*) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc'",
	}}
}
