package keycloak

import (
	"context"

	"watchdog/probes"
	"watchdog/probes/host"
)

const noTables = "Keycloak runs on a database without its tables"

// schemaGone looks whether Keycloak's tables are gone under the running server,
// which then fails every request that it does not answer from a cache, and says
// UP. When the tables can't be looked for it is not claimed.
func schemaGone(ctx context.Context, h *host.Host, database string) bool {
	rows, err := h.DB.Query(ctx, database, `select count(*)::text from pg_catalog.pg_class where relname = 'realm' and relkind in ('r', 'p')`)
	return err == nil && len(rows) == 1 && len(rows[0]) == 1 && rows[0][0] == "0"
}

// restorable adds what a person needs to bring the tables back.
func restorable(h *host.Host, found []probes.Finding, backups string) []probes.Finding {
	found[0].Evidence = append(found[0].Evidence, probes.Restore(h, backups))
	return found
}
