package remedies

import (
	"context"
	"fmt"
	"strings"

	"watchdog/probes/host"
)

// giveDatabase is the step that gives Keycloak's database and tables to its role,
// where somebody else owns them: the role was dropped and its things were left to
// another, or a dump was restored as another.
//
// Whoever is logged in as a role that is gone, or as the owner of before, is
// logged out: those sessions have lost their rights, and a pool would keep them
// and fail for ever. A superuser's are left alone.
type giveDatabase struct{ Database, Role string }

func (s giveDatabase) String() string {
	return "give database " + s.Database + " and its tables to role " + s.Role + ", and end sessions that have lost their rights"
}

// Done implements [Step].
func (s giveDatabase) Done(ctx context.Context, h *host.Host) (bool, error) {
	there, err := createDatabase{Database: s.Database}.exists(ctx, h)
	if err != nil || !there {
		return err == nil, err
	}
	others, err := h.Strangers(ctx, s.Database, s.Role)
	if err != nil || len(others) > 0 {
		return false, err
	}
	orphans, err := h.Orphans(ctx, s.Database)
	return err == nil && !orphans, err
}

// takeOver is one statement, so that it is done as a whole. What belongs to an
// extension stays its own, a sequence of a column goes with its table, and who
// holds a table locked keeps the others waiting for ten seconds at most.
const takeOver = `DO $watchdog$
DECLARE
	role name := %[1]s;
	strangers oid[] := '{%[2]s}';
	o regclass;
BEGIN
	SET LOCAL lock_timeout = '10s';
	PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a LEFT JOIN pg_authid r ON r.oid = a.usesysid
		WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
		AND (r.oid IS NULL OR r.oid = ANY (strangers) AND NOT r.rolsuper);
	FOR o IN SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = to_regnamespace('public') AND c.relowner = ANY (strangers) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
			AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
	LOOP
		EXECUTE 'ALTER TABLE ' || o || ' OWNER TO ' || quote_ident(role);
	END LOOP;
	IF (SELECT datdba = ANY (strangers) FROM pg_database WHERE datname = current_database()) THEN
		EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' OWNER TO ' || quote_ident(role);
	END IF;
END $watchdog$`

// Do implements [Step].
func (s giveDatabase) Do(ctx context.Context, w Hands, h *host.Host) error {
	others, err := h.Strangers(ctx, s.Database, s.Role)
	if err != nil {
		return err
	}
	var oids []string
	for _, o := range others {
		oids = append(oids, o.OID)
	}
	return w.Exec(ctx, s.Database, fmt.Sprintf(takeOver, pgText(s.Role), strings.Join(oids, ",")))
}
