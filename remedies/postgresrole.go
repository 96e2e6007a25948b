package remedies

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"watchdog/probes/format/scram"
	"watchdog/probes/host"
)

// A PostgresRole is Keycloak's role: it may log in, by the generated secret and
// a SCRAM verifier, and owns its database where there is one.
type PostgresRole struct {
	Role     string
	Secret   string // name of the generated secret
	Database string
}

// Spec implements [Remedy].
func (r PostgresRole) Spec() Spec {
	return Spec{ID: "postgres.role", Summary: "give role " + r.Role + " its login, its password and its database", Risk: Harmless, Timeout: 30 * time.Second, NeedsSecret: true}
}

// Plan implements [Remedy].
func (r PostgresRole) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	secret, err := h.Secret(r.Secret)
	if err != nil {
		return Plan{}, err
	}
	if secret.Missing() {
		p.Waits = append(p.Waits, "secret "+r.Secret)
	}
	give := giveDatabase{r.Database, r.Role}
	right, owned := false, true
	if !secret.Missing() {
		right, err = setRole(r).Done(ctx, h)
	} else {
		_, err = h.DB.Query(ctx, "postgres", "SELECT 1")
	}
	if err == nil {
		owned, err = give.Done(ctx, h)
	}
	if err != nil {
		waits, err := serverWaits(ctx, h, err)
		if err != nil {
			return Plan{}, err
		}
		p.Waits = append(p.Waits, waits...)
	}
	if !right {
		p.Steps = append(p.Steps, setRole(r))
	}
	if !owned {
		p.Steps = append(p.Steps, give)
	}
	return p, nil
}

// serverWaits turns the error of a query into waiting for a server that has not
// been set up or started yet. Any other is an error still.
func serverWaits(ctx context.Context, h *host.Host, err error) ([]string, error) {
	u, unitErr := h.Init.Unit(ctx, h.Facts.Layout.Unit("postgresql"))
	if unitErr != nil {
		return nil, errors.Join(err, unitErr)
	}
	if u.State == host.Absent || u.State == host.Stopped {
		return []string{"a running postgresql"}, nil
	}
	return nil, err
}

// setRole is the step that makes the role, or makes it right.
type setRole PostgresRole

func (s setRole) String() string { return "set login and password of database role " + s.Role }

// roleQuery wants a password that has not run out, too: with one that has, the
// right password is refused.
const roleQuery = `SELECT (rolcanlogin AND coalesce(rolvaliduntil > now(), true))::text, coalesce(rolpassword, '')
FROM pg_authid WHERE rolname = $1`

// Done implements [Step].
func (s setRole) Done(ctx context.Context, h *host.Host) (bool, error) {
	secret, err := h.Secret(s.Secret)
	if err != nil {
		return false, err
	}
	rows, err := h.DB.Query(ctx, "postgres", roleQuery, s.Role)
	if err != nil {
		return false, fmt.Errorf("read role %s: %w", s.Role, err)
	}
	return !secret.Missing() && len(rows) == 1 && rows[0][0] == "true" && scram.Verify(rows[0][1], secret.Reveal()), nil
}

// Do implements [Step]. The password itself is in no statement: the server gets
// what it would keep of it.
func (s setRole) Do(ctx context.Context, w Hands, h *host.Host) error {
	secret, err := h.Secret(s.Secret)
	if err != nil {
		return err
	}
	if secret.Missing() {
		return fmt.Errorf("read secret %s: there is none yet", s.Secret)
	}
	salt := make([]byte, scram.SaltSize)
	// It never fails: the program ends first.
	_, _ = rand.Read(salt)
	verifier, err := scram.New(secret.Reveal(), salt, scram.Iterations)
	if err != nil {
		return err
	}
	rows, err := h.DB.Query(ctx, "postgres", roleQuery, s.Role)
	if err != nil {
		return fmt.Errorf("read role %s: %w", s.Role, err)
	}
	verb := "CREATE"
	if len(rows) > 0 {
		verb = "ALTER"
	}
	return w.Exec(ctx, "postgres", verb+" ROLE "+pgName(s.Role)+" LOGIN PASSWORD "+pgText(verifier)+" VALID UNTIL 'infinity'")
}

func pgName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// pgText quotes what holds no backslash.
func pgText(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// A PostgresDatabase is Keycloak's database. It is made once, on an empty
// stack: one that was there and is gone is restored from a backup, never
// replaced by an empty one, in which Keycloak would run without a realm.
type PostgresDatabase struct {
	Database, Owner string
	Backups         string // directory of the dumps
}

// DatabaseMade is there from the day the database was made, or first seen.
// Whoever resets the stack on purpose removes it.
const DatabaseMade = "/var/lib/watchdog/made/database"

var madeMark = File([]byte("The database was made. While this file is here it is never made anew, only restored.\n"), "root", "root", 0o600)

// Spec implements [Remedy].
func (r PostgresDatabase) Spec() Spec {
	return Spec{ID: "postgres.database", Summary: "create database " + r.Database + " on an empty stack", Risk: Harmless, Timeout: time.Minute}
}

// Plan implements [Remedy].
func (r PostgresDatabase) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	there, err := createDatabase(r).exists(ctx, h)
	if err != nil {
		if p.Waits, err = serverWaits(ctx, h, err); err != nil {
			return Plan{}, err
		}
	}
	if there {
		p.Edits, err = markMade(h)
		return p, err
	}
	if err := r.wasThere(h); err != nil {
		return Plan{}, err
	}
	p.Steps = []Step{createDatabase(r)}
	return p, nil
}

// wasThere is an error when anything tells that the database existed before.
func (r PostgresDatabase) wasThere(h *host.Host) error {
	n, err := h.FS.Node(DatabaseMade)
	if err != nil {
		return err
	}
	names, err := h.FS.ReadDir(r.Backups)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if n == nil && len(names) == 0 {
		return nil
	}
	return fmt.Errorf("create database %s: it was there before and is lost; restore it from the newest backup (watchdog backup list; watchdog explain postgres.database-missing)", r.Database)
}

// markMade returns the edits that keep in mind that the database was made.
func markMade(h *host.Host) ([]Edit, error) {
	var edits []Edit
	for _, dir := range []string{path.Dir(path.Dir(DatabaseMade)), path.Dir(DatabaseMade)} {
		more, err := directory(h, dir, 0o700)
		if err != nil {
			return nil, err
		}
		edits = append(edits, more...)
	}
	file, err := Converge(h, DatabaseMade, madeMark)
	return append(edits, file...), err
}

// createDatabase is the step that makes the database and keeps that in mind.
type createDatabase PostgresDatabase

func (s createDatabase) String() string {
	return "create database " + s.Database + ", owned by " + s.Owner
}

func (s createDatabase) exists(ctx context.Context, h *host.Host) (bool, error) {
	rows, err := h.DB.Query(ctx, "postgres", `SELECT 1 FROM pg_database WHERE datname = $1`, s.Database)
	if err != nil {
		return false, fmt.Errorf("read database %s: %w", s.Database, err)
	}
	return len(rows) > 0, nil
}

// Done implements [Step].
func (s createDatabase) Done(ctx context.Context, h *host.Host) (bool, error) {
	n, err := h.FS.Node(DatabaseMade)
	if err != nil || n == nil {
		return false, err
	}
	return s.exists(ctx, h)
}

// Do implements [Step]. The encoding is named because a cluster made under the C
// locale has none, which Keycloak's texts need.
func (s createDatabase) Do(ctx context.Context, w Hands, h *host.Host) error {
	there, err := s.exists(ctx, h)
	if err != nil {
		return err
	}
	if !there {
		err := w.Exec(ctx, "postgres", "CREATE DATABASE "+pgName(s.Database)+" OWNER "+pgName(s.Owner)+" ENCODING 'UTF8' TEMPLATE template0")
		if err != nil {
			return err
		}
	}
	edits, err := markMade(h)
	for _, e := range edits {
		if err == nil {
			err = e.Do(ctx, w)
		}
	}
	return err
}
