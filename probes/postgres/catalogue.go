package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/scram"
	"watchdog/probes/host"
)

// A Catalogue asks the superuser's tables what Keycloak needs there: its role,
// with a SCRAM verifier of its password, and its database, which the role owns.
// It knows what a login can't: a missing role and a wrong password look alike
// from outside, and tables of somebody else's let it in and show it nothing.
type Catalogue struct {
	Role, Database string
	Secret         string // name of the password among the generated secrets
	Backups        string // directory of the backups: what a lost database is restored from
}

// Spec implements [probes.Probe].
func (c Catalogue) Spec() probes.Spec {
	return probes.Spec{
		ID:      "postgres.catalogue",
		Summary: "Keycloak's role, its verifier and its database are there, and the one owns the other",
		Codes:   []probes.Code{RoleMissing, RoleNoLogin, VerifierNotSCRAM, PasswordDrift, DatabaseMissing, NotOwner},
		Every:   30 * time.Second,
		Timeout: timeout,
	}
}

// The verifier is read, judged and dropped: only its kind may be told.
const (
	roleRow = `select rolcanlogin::text, coalesce(rolpassword, ''), coalesce((rolvaliduntil < now())::text, 'false')
	from pg_catalog.pg_authid where rolname = $1`
	databaseRow = `select datname from pg_catalog.pg_database where datname = $1`
)

// Observe implements [probes.Probe].
func (c Catalogue) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	roles, err := h.DB.Query(within, "postgres", roleRow, c.Role)
	if err != nil {
		return nil, err
	}
	databases, err := h.DB.Query(within, "postgres", databaseRow, c.Database)
	if err != nil {
		return nil, err
	}
	found, err := c.role(h, roles)
	switch {
	case len(databases) == 0:
		f := c.found(DatabaseMissing, c.Database, "database "+c.Database+" is gone", "pg_database", "database "+c.Database, "no row")
		f.Evidence = append(f.Evidence, probes.Restore(h, c.Backups))
		found = append(found, f)
	case len(roles) > 0:
		owned, err2 := c.owned(within, h)
		found, err = append(found, owned...), errors.Join(err, err2)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, err
}

// owned judges whose the database and Keycloak's tables are.
func (c Catalogue) owned(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	others, err := h.Strangers(ctx, c.Database, c.Role)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	var names []string
	for _, o := range others {
		names = append(names, o.Name)
	}
	f := c.found(NotOwner, c.Database, "database "+c.Database+" or Keycloak's tables in it are not its role's",
		"pg_database, pg_class", "owner "+c.Role, "owner "+probes.Clip(strings.Join(names, ", ")))
	f.Evidence[0].Command = "sudo -u postgres psql -d " + c.Database + " -c '\\l' -c '\\dt'"
	return []probes.Finding{f}, nil
}

// role judges the role's row; its error means that the password could not be
// compared.
func (c Catalogue) role(h *host.Host, rows [][]string) ([]probes.Finding, error) {
	const table = "pg_authid"
	if len(rows) == 0 {
		return []probes.Finding{c.found(RoleMissing, c.Role, "role "+c.Role+" is gone", table, "role "+c.Role, "no row")}, nil
	}
	if len(rows[0]) != 3 {
		return nil, errors.New("read pg_authid: unexpected answer")
	}
	canLogin, verifier, expired := rows[0][0], rows[0][1], rows[0][2]
	var found []probes.Finding
	if canLogin != "true" {
		found = append(found, c.found(RoleNoLogin, c.Role, "role "+c.Role+" may not log in", table, "rolcanlogin true", "rolcanlogin "+canLogin))
	}
	if !scram.Is(verifier) {
		return append(found, c.found(VerifierNotSCRAM, c.Role, "the password of role "+c.Role+" is not stored as a SCRAM verifier",
			table, "rolpassword of kind SCRAM-SHA-256", "rolpassword of kind "+kind(verifier))), nil
	}
	if expired == "true" {
		return append(found, c.found(PasswordDrift, c.Role, "the password of role "+c.Role+" has expired", table, "no rolvaliduntil in the past", "rolvaliduntil is past")), nil
	}
	secret, err := h.Secret(c.Secret)
	switch {
	case err != nil:
		return found, err
	case secret.Missing():
		return found, fmt.Errorf("compare the password of role %s: there is no secret %s yet", c.Role, c.Secret)
	case !scram.Verify(verifier, secret.Reveal()):
		found = append(found, c.found(PasswordDrift, c.Role, "role "+c.Role+" has another password than the stored secret",
			table, "verifier made of secret "+c.Secret, "verifier of another password"))
	}
	return found, nil
}

// kind names what is stored without saying any of it.
func kind(verifier string) string {
	switch {
	case verifier == "":
		return "none"
	case len(verifier) == len("md5")+32 && verifier[:3] == "md5":
		return "md5"
	}
	return "unknown"
}

func (c Catalogue) found(code probes.Code, subject, summary, source, want, got string) probes.Finding {
	command := "sudo -u postgres psql -c \"select rolname, rolcanlogin, left(rolpassword, 13), rolvaliduntil from pg_authid where rolname = '" + c.Role + "'\""
	if source == "pg_database" {
		command = "sudo -u postgres psql -l"
	}
	return probes.Finding{Code: code, Subject: subject, Summary: summary, Evidence: []probes.Evidence{{
		Source: source, Want: want, Got: got, Command: command,
	}}}
}
