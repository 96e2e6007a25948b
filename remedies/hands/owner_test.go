package hands

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// realDB is [host.DB] on the test's own server.
type realDB struct {
	dir string
}

func (d realDB) connect(ctx context.Context, role, database string) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, fmt.Sprintf("host=%s port=5471 user=%s dbname=%s sslmode=disable", d.dir, role, database))
}

// Query implements [host.DB].
func (d realDB) Query(ctx context.Context, database, statement string, args ...any) ([][]string, error) {
	conn, err := d.connect(ctx, "postgres", database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var params [][]byte
	for _, a := range args {
		params = append(params, fmt.Append(nil, a))
	}
	result := conn.ExecParams(ctx, statement, params, nil, nil, nil).Read()
	var rows [][]string
	for _, r := range result.Rows {
		var row []string
		for _, v := range r {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	return rows, result.Err
}

// stocked starts a server with Keycloak's role and database, somebody else's table
// in it, and logins for all.
func stocked(t *testing.T) (*Hands, realDB) {
	t.Helper()
	w := cluster(t, hosttest.Node(host.SecretDir+"/keycloak-db", remedies.File([]byte("password"), "root", "root", 0o600)))
	facts, err := host.ReadFacts(w.h.FS)
	if err != nil {
		t.Fatal(err)
	}
	db := realDB{facts.Layout.PostgresSock}
	w.h.DB = db
	if err := os.WriteFile(facts.Layout.PostgresData+"/pg_hba.conf", []byte("local all all trust\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"postgres|select pg_reload_conf()", "postgres|create role keycloak login", "postgres|create role dba", "postgres|create database keycloak owner keycloak"} {
		database, statement, _ := strings.Cut(s, "|")
		if err := w.Exec(t.Context(), database, statement); err != nil {
			t.Fatal(err)
		}
	}
	return w, db
}

// sql runs statements in Keycloak's database.
func sql(t *testing.T, w *Hands, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := w.Exec(t.Context(), "keycloak", s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestGiveDatabase: whatever became of the role on a real server, in the end a
// session of it can use its tables, those of before are gone, and other people's
// tables are theirs.
func TestGiveDatabase(t *testing.T) {
	w, db := stocked(t)
	sql(t, w,
		"create table public.realm (id serial, name text)", "alter table public.realm owner to keycloak",
		"create table public.client (id int)", "alter table public.client owner to keycloak",
		"create view public.names as select name from public.realm", "alter view public.names owner to keycloak",
		"create table public.notes (text text)", "alter table public.notes owner to dba",
	)
	remedy := remedies.PostgresRole{Role: "keycloak", Secret: "keycloak-db", Database: "keycloak"}
	mend := func() []string {
		t.Helper()
		p, err := remedy.Plan(t.Context(), w.h)
		if err == nil {
			err = p.Apply(t.Context(), w, w.h, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p.Lines()
	}
	mend() // the password
	const login = "set login and password of database role keycloak"
	give := "give database keycloak and its tables to role keycloak, and end sessions that have lost their rights"
	for _, tt := range []struct {
		name   string
		broken []string
		lines  []string
		ends   bool // the session of before
	}{
		{"dropped", []string{"reassign owned by keycloak to postgres", "drop owned by keycloak", "drop role keycloak"}, []string{login, give}, true},
		{"renamed", []string{"alter role keycloak rename to old"}, []string{login, give}, true},
		{"restored as the superuser", []string{"alter table public.realm owner to postgres", "alter table public.client owner to postgres"}, []string{give}, false},
		{"database only", []string{"alter database keycloak owner to postgres"}, []string{give}, false},
		{"owned by a role that it belongs to", []string{"create role owners", "grant owners to keycloak", "alter table public.realm owner to owners"}, nil, false},
	} {
		old, err := db.connect(t.Context(), "keycloak", "keycloak")
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		sql(t, w, tt.broken...)
		if d := cmp.Diff(tt.lines, mend()); d != "" {
			t.Errorf("%s: done (-want +got):\n%s", tt.name, d)
		}
		if tt.ends != ended(t, old) {
			t.Errorf("%s: the session of before ended: %t", tt.name, !tt.ends)
		}
		_ = old.Close(t.Context())
		fresh, err := db.connect(t.Context(), "keycloak", "keycloak")
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, s := range []string{"insert into realm (name) values ('x')", "select * from names", "alter table client add column x int", "alter table client drop column x"} {
			if _, err := fresh.Exec(t.Context(), s).ReadAll(); err != nil {
				t.Errorf("%s: %s: %v", tt.name, s, err)
			}
		}
		_ = fresh.Close(t.Context())
		rows, err := db.Query(t.Context(), "keycloak", "select tableowner from pg_tables where tablename = 'notes'")
		if err != nil || len(rows) != 1 || rows[0][0] != "dba" {
			t.Errorf("%s: somebody else's table is of %v, %v", tt.name, rows, err)
		}
		if p, err := remedy.Plan(t.Context(), w.h); err != nil || !p.Empty() {
			t.Errorf("%s: left to do: %q, %v", tt.name, p.Lines(), err)
		}
	}
}

// ended waits a moment for a session to be ended.
func ended(t *testing.T, c *pgconn.PgConn) bool {
	t.Helper()
	return slices.ContainsFunc(make([]int, 20), func(int) bool {
		time.Sleep(10 * time.Millisecond)
		_, err := c.Exec(t.Context(), "select 1").ReadAll()
		return err != nil
	})
}

// TestSchemaLock: on a real server the holder of the row is found behind those
// who wait for it, and only its session is ended.
func TestSchemaLock(t *testing.T) {
	w, db := stocked(t)
	sql(t, w, "create table public.databasechangeloglock (id int)", "insert into public.databasechangeloglock values (1), (1000)",
		"alter table public.databasechangeloglock owner to keycloak")
	remedy := remedies.SchemaLock{Database: "keycloak"}
	session := func(role string) *pgconn.PgConn {
		c, err := db.connect(t.Context(), role, "keycloak")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		return c
	}
	const lock = "begin; select id from databasechangeloglock where id = 1000 for update"
	holder := session("postgres")
	if _, err := holder.Exec(t.Context(), lock).ReadAll(); err != nil {
		t.Fatal(err)
	}
	if p, err := remedy.Plan(t.Context(), w.h); err != nil || !p.Empty() {
		t.Errorf("nobody waits: %q, %v", p.Lines(), err)
	}
	started := make(chan error, 2) // two starts, the second behind the first
	for range 2 {
		c := session("keycloak")
		go func() {
			_, err := c.Exec(context.Background(), lock+"; commit").ReadAll()
			started <- err
		}()
	}
	var p remedies.Plan
	for range 100 {
		var err error
		if p, err = remedy.Plan(t.Context(), w.h); err != nil {
			t.Fatal(err)
		}
		if !p.Empty() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if lines := p.Lines(); len(lines) != 1 || !strings.Contains(lines[0], fmt.Sprintf("end session %d of PostgreSQL (postgres with ? from the socket, idle in transaction since ", holder.PID())) {
		t.Fatalf("plan %q", lines)
	}
	if err := p.Apply(t.Context(), w, w.h, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-started; err != nil {
			t.Error(err)
		}
	}
	if p, err := remedy.Plan(t.Context(), w.h); err != nil || !p.Empty() || !ended(t, holder) {
		t.Errorf("left to do: %q, %v", p.Lines(), err)
	}
}
