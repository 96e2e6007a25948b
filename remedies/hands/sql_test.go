package hands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchdog/packaging/lab/need"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// cluster starts a PostgreSQL server that maps root to its superuser, and
// returns hands for a machine that has it and what else is given.
func cluster(t *testing.T, with ...hosttest.Option) *Hands {
	t.Helper()
	need.Program(t, "/usr/lib/postgresql/*/bin/initdb", "postgresql-15")
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	pg, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	bin := bins[len(bins)-1]
	major := filepath.Base(filepath.Dir(bin))
	dir, err := os.MkdirTemp("", "pg") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as, err := credential(pg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
		t.Fatal(err)
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(bin+"/"+name, args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + binPath, "LANG=C.UTF-8"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return cmd
	}
	if out, err := command("initdb", "-D", dir+"/data", "--no-sync", "--auth=peer").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	for name, text := range map[string]string{
		"pg_hba.conf": "local all postgres peer map=admins\n", "pg_ident.conf": "admins root postgres\n",
	} {
		if err := os.WriteFile(dir+"/data/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := command("postgres", "-D", dir+"/data", "-k", dir, "-p", "5471", "-c", "listen_addresses=", "-F")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = server.Wait()
	})
	socket := dir + "/.s.PGSQL.5471"
	w := New(hosttest.New(append(with,
		hosttest.File("/etc/postgresql/"+major+"/main/postgresql.conf", "unix_socket_directories = '"+dir+"'\nport = 5471\ndata_directory = '"+dir+"/data'\n"),
		hosttest.Serve("unix "+socket, through(socket)),
	)...), Options{})
	for range 200 { // until it accepts
		if err = w.Exec(t.Context(), "postgres", "select 1"); err == nil {
			return w
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

// through serves a connection by passing it on to a real socket.
func through(socket string) func(net.Conn) {
	return func(c net.Conn) {
		to, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(to, c) }()
		_, _ = io.Copy(c, to)
	}
}

func TestExecAndDump(t *testing.T) {
	w := cluster(t)
	ctx := t.Context()
	var err error
	for _, s := range []string{
		`create role "key-cloak" login password 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'`,
		`create database keycloak owner "key-cloak"`, // not possible in a transaction
	} {
		err = errors.Join(err, w.Exec(ctx, "postgres", s))
	}
	err = errors.Join(err, w.Exec(ctx, "keycloak", "create table public.realm (name text)"))
	err = errors.Join(err, w.Exec(ctx, "keycloak", "insert into public.realm select $1 || n from generate_series(1, $2::int) n", "breath", 1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("refusals", func(t *testing.T) {
		tests := map[string]struct{ database, statement, state string }{
			"exists":        {"postgres", `create role "key-cloak" password 'S3CRET'`, "42710"},
			"syntax":        {"postgres", `alter role S3CRET with nonsense`, "42601"},
			"two at a time": {"postgres", `select 1; select 'S3CRET'`, "42601"},
			"no database":   {"S3CRET-not", `select 1`, "3D000"},
		}
		for name, tt := range tests {
			err := w.Exec(ctx, tt.database, tt.statement)
			var refused *remedies.SQLError
			if !errors.As(err, &refused) || refused.State != tt.state {
				t.Errorf("%s: %v; want SQLSTATE %s", name, err, tt.state)
			}
			if name != "no database" && strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("%s: the statement is in the error: %v", name, err)
			}
		}
	})
	t.Run("dump", func(t *testing.T) { testDump(t, w) })
}

func testDump(t *testing.T, w *Hands) {
	dump := t.TempDir() + "/keycloak.dump"
	run := func(name string, args ...string) ([]byte, error) {
		return w.Run(t.Context(), remedies.Command{Name: name, Args: args})
	}
	if _, err := run("pg-dump", "keycloak", dump); err != nil {
		t.Fatal(err)
	}
	if got := node(t, dump); got.Mode != 0o600 {
		t.Errorf("the dump has mode %v", got.Mode)
	}
	list, err := run("pg-restore-list", dump)
	if err != nil || !strings.Contains(string(list), " TABLE DATA public realm ") {
		t.Errorf("the dump's list is %s, %v", list, err)
	}
	if _, err := run("pg-restore-read", dump); err != nil {
		t.Error(err)
	}
	size, err := run("file-size", dump)
	if want := fmt.Sprintln(len(node(t, dump).Data)); err != nil || string(size) != want {
		t.Errorf("its size is %q, %v; want %q", size, err, want)
	}
	if err := os.Truncate(dump, int64(len(node(t, dump).Data)-100)); err != nil {
		t.Fatal(err)
	}
	if _, err := run("pg-restore-read", dump); err == nil {
		t.Error("a dump without its end is read as whole")
	}
	if _, err := run("pg-dump", "nonesuch", dump+"2"); err == nil || !strings.Contains(err.Error(), `database "nonesuch" does not exist`) {
		t.Errorf("dump of no database = %v", err)
	}
}

func TestExecWithoutServer(t *testing.T) {
	w := New(hosttest.New(), Options{})
	err := w.Exec(t.Context(), "postgres", "select 1")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/var/run/postgresql/.s.PGSQL.5432") {
		t.Errorf("Exec = %v; want that there is no socket, by its path", err)
	}
}

// A frozen server, whose kernel still accepts, is given up with the context.
func TestExecHungServer(t *testing.T) {
	w := New(hosttest.New(hosttest.Serve("unix /var/run/postgresql/.s.PGSQL.5432", hosttest.Hang)), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := w.Exec(ctx, "postgres", "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Exec = %v; want the deadline", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}
