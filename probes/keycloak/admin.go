package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// An Admins asks whether any person can still administer Keycloak: whether an
// enabled user of the realm master has its role admin and something to log in
// by. It reads that from the database, and never logs in: a probe with an old
// password would itself lock the account that it asks about.
//
// That failed logins locked an account for good stands in the database too. A
// lock that ends by itself is in the server's memory alone, and shows in the
// journal when somebody is refused for it.
type Admins struct {
	Service  string // "keycloak"
	Database string // where Keycloak keeps its tables
}

// Spec implements [probes.Probe].
func (a Admins) Spec() probes.Spec {
	return probes.Spec{
		ID:      "admin",
		Summary: "a person can log in as administrator of the realm master",
		Codes:   []probes.Code{AdminLockedOut},
		Every:   30 * time.Second,
		Timeout: timeout,
	}
}

// adminsQuery lists the people among master's administrators: who has the role
// itself, or by another role or a group. Service accounts are no people.
//
// Its tables are named in full: sessions of the superuser look into no schema
// that others may write to.
//
// Columns: ID, name, enabled, whether there is something to log in by, why it
// was disabled; and of the realm, whether failed logins lock accounts, and for
// how many seconds at least.
const adminsQuery = `with recursive
	master as (select id from public.realm where name = 'master'),
	roles(id) as (
		select id from public.keycloak_role where realm_id in (select id from master) and name = 'admin' and not client_role
		union select c.composite from public.composite_role c join roles on c.child_role = roles.id),
	groups(id) as (
		select m.group_id from public.group_role_mapping m join roles on m.role_id = roles.id
		union select g.id from public.keycloak_group g join groups on g.parent_group = groups.id),
	admins(id) as (
		select m.user_id from public.user_role_mapping m join roles on m.role_id = roles.id
		union select m.user_id from public.user_group_membership m join groups on m.group_id = groups.id)
select u.id, u.username, u.enabled::text,
	(u.federation_link is not null or exists (select from public.credential c where c.user_id = u.id)
		or exists (select from public.federated_identity f where f.user_id = u.id))::text,
	coalesce((select max(value) from public.user_attribute t where t.user_id = u.id and t.name = 'disabledReason'), ''),
	coalesce((select max(value) from public.realm_attribute t where t.realm_id = u.realm_id and t.name = 'bruteForceProtected'), 'false'),
	coalesce((select max(value) from public.realm_attribute t where t.realm_id = u.realm_id and t.name = 'waitIncrementSeconds'), '0')
from public.user_entity u join admins on admins.id = u.id
where u.realm_id in (select id from master) and u.service_account_client_link is null
order by u.username limit 100`

// An administrator is one row of that.
type administrator struct {
	id, name     string
	enabled, can bool // can: there is something to log in by
	reason       string
}

// Observe implements [probes.Probe].
func (a Admins) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	rows, err := h.DB.Query(ctx, a.Database, adminsQuery)
	if err != nil {
		return nil, fmt.Errorf("list the administrators: %w", err)
	}
	var all []administrator
	var open []string // IDs of those who get in, if they are not locked for a while
	var locks time.Duration
	for _, r := range rows {
		if len(r) != 7 {
			return nil, fmt.Errorf("list the administrators: %d columns", len(r))
		}
		m := administrator{id: r[0], name: r[1], enabled: r[2] == "true", can: r[3] == "true", reason: r[4]}
		if m.enabled && m.can {
			open = append(open, m.id)
		}
		if seconds, err := strconv.Atoi(r[6]); err == nil && r[5] == "true" {
			locks = max(time.Duration(seconds)*time.Second, minLock)
		}
		all = append(all, m)
	}
	if len(open) == 0 {
		return a.found(all, nil), nil
	}
	if locks == 0 {
		return nil, nil
	}
	refused, err := a.refused(ctx, h, locks)
	if err != nil {
		return nil, err
	}
	for _, id := range open {
		if refused[id] == "" {
			return nil, nil
		}
	}
	return a.found(all, refused), nil
}

// minLock is the least that a refusal counts for: longer than the time between
// two looks.
const minLock = time.Minute

// refusal is what the server writes when somebody is refused at a login.
var refusal = regexp.MustCompile(`^(?:(\S+ [0-9:]+)\S* )?.*?type="LOGIN_ERROR", .*?userId="([^"]*)", ipAddress="([^"]*)", error="(\w+)"`)

// refused tells, by ID, who was refused within the last so-and-so long for being
// locked, and not for anything else since.
func (a Admins) refused(ctx context.Context, h *host.Host, within time.Duration) (map[string]string, error) {
	journal, err := h.Exec.Run(ctx, "journalctl", "-u", h.Facts.Layout.Unit(a.Service), "-o", "json", "-n", "500",
		"--since", fmt.Sprintf("-%ds", within/time.Second), "-q", "--no-pager")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range bytes.Lines(journal) {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		m := refusal.FindStringSubmatch(string(e.Message))
		switch {
		case m == nil:
		case m[4] == "user_temporarily_disabled":
			out[m[2]] = clip("refused at "+m[1]+" from "+m[3], 100)
		default:
			delete(out, m[2])
		}
	}
	return out, nil
}

// maxAdmins bounds how many administrators are shown.
const maxAdmins = 4

func (a Admins) found(all []administrator, refused map[string]string) []probes.Finding {
	f := probes.Finding{Code: AdminLockedOut, Subject: "master", Summary: "nobody can log in as Keycloak's administrator"}
	show := func(who, want, got string) {
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: "database " + a.Database + ", " + who, Want: want, Got: got,
			Command: "runuser -u postgres -- psql " + a.Database + ` -c "select username, enabled from user_entity where realm_id = (select id from realm where name = 'master')"`,
		})
	}
	for _, m := range all[:min(len(all), maxAdmins)] {
		got := "locked for a while after failed logins, " + refused[m.id]
		switch {
		case !m.enabled && m.reason != "":
			got = "disabled: " + clip(m.reason, 100)
		case !m.enabled:
			got = "disabled"
		case !m.can:
			got = "nothing to log in by"
		}
		show("user "+clip(m.name, 100)+" of realm master", "enabled, with a password, not locked", got)
	}
	if len(all) == 0 {
		show("realm master", "a user with role admin", "none")
	}
	return []probes.Finding{f}
}
