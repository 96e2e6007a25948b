package host

import (
	"context"
	"fmt"
)

// An Owner is a role that owns what another one should.
type Owner struct {
	OID  string // which outlives the name: a role may be gone and still own
	Name string
}

// strangers are the owners of the connected database, and of those tables that
// every Keycloak has, whose rights the role $1 has not got. Where there is no
// such role that is so of all of them.
const strangers = `select distinct o.owner::text, pg_get_userbyid(o.owner)::text from (
	select datdba as owner from pg_database where datname = current_database()
	union select relowner from pg_class where relnamespace = to_regnamespace('public')
		and relname in ('realm', 'client', 'user_entity', 'databasechangelog') and relkind in ('r', 'p')) o
	where case when to_regrole(quote_ident($1::text)) is null then true
		else not pg_has_role(to_regrole(quote_ident($1::text))::oid, o.owner, 'usage') end
	order by 2`

// Strangers lists who owns a database of Keycloak's or its tables instead of
// role: after the role was dropped, or a dump restored as somebody else. Keycloak
// then has a connection and may read nothing. Other people's tables in the same
// database are theirs.
func (h *Host) Strangers(ctx context.Context, database, role string) ([]Owner, error) {
	rows, err := h.DB.Query(ctx, database, strangers, role)
	if err != nil {
		return nil, fmt.Errorf("read who owns database %s: %w", database, err)
	}
	var out []Owner
	for _, r := range rows {
		if len(r) != 2 {
			return nil, fmt.Errorf("read who owns database %s: unexpected answer %q", database, r)
		}
		out = append(out, Owner{OID: r[0], Name: r[1]})
	}
	return out, nil
}

// orphans counts the sessions in database $1 of roles that are gone. Nobody ends
// them, and a role made anew under the same name is another one.
const orphans = `select count(*)::text from pg_stat_activity a where a.datname = $1 and a.backend_type = 'client backend'
	and not exists (select from pg_authid r where r.oid = a.usesysid)`

// Orphans reports whether somebody is logged in to a database as a role that is
// gone: such a session may do nothing any more, and a pool keeps it all the same.
func (h *Host) Orphans(ctx context.Context, database string) (bool, error) {
	rows, err := h.DB.Query(ctx, "postgres", orphans, database)
	if err != nil {
		return false, fmt.Errorf("read the sessions of database %s: %w", database, err)
	}
	return len(rows) == 1 && len(rows[0]) == 1 && rows[0][0] != "0", nil
}
