package postgres

import (
	"context"
	md5sum "crypto/md5"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgconn"

	"watchdog/packaging/lab/need"
	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

// A cluster is a real server of PostgreSQL on a port of its own, with the hba
// lines of the site.
type cluster struct {
	t         *testing.T
	bin, data string
	port      int
	as        *syscall.Credential // whom the server runs as; nil for this process's user
	boss      string              // name of the superuser
}

// newCluster makes and starts one.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	need.Program(t, "/usr/lib/postgresql/*/bin/initdb", "postgresql-15")
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: filepath.Dir(found[len(found)-1]), boss: "postgres"}
	// Sockets have short names only.
	if c.data, err = os.MkdirTemp("/tmp", "pg"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(c.data) })
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.data, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	c.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	c.run("initdb", "-D", c.dir(), "-U", c.boss, "--auth=trust", "-N")
	c.hba("scram-sha-256")
	c.start("127.0.0.1,::1")
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *cluster) dir() string { return c.data + "/d" }

func (c *cluster) run(name string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	// The server outlives pg_ctl and would keep a pipe open.
	log, err := os.OpenFile(c.data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		c.t.Fatalf("%s: %v\n%s", name, err, said)
	}
}

func (c *cluster) start(listen string) {
	c.t.Helper()
	c.run("pg_ctl", "-D", c.dir(), "-w", "-o", fmt.Sprintf("-p %d -k %s -c listen_addresses=%s -c fsync=off", c.port, c.data, listen), "start")
}

func (c *cluster) stop() {
	c.t.Helper()
	if _, err := os.Stat(c.dir() + "/postmaster.pid"); err == nil {
		c.run("pg_ctl", "-D", c.dir(), "-w", "-m", "immediate", "stop")
	}
}

func (c *cluster) hba(method string, more ...string) {
	c.t.Helper()
	// The superuser comes by a TCP path of its own: this process is not it.
	lines := append(more, "local all postgres trust", "host all postgres 127.0.0.2/32 trust",
		"local all all "+method, "host all all 127.0.0.1/32 "+method, "host all all ::1/128 "+method)
	if err := os.WriteFile(c.dir()+"/pg_hba.conf", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) reload() {
	c.t.Helper()
	c.run("pg_ctl", "-D", c.dir(), "reload")
	time.Sleep(200 * time.Millisecond) // the server does it when it gets to it
}

// Query implements [host.DB].
func (c *cluster) Query(ctx context.Context, database, statement string, args ...any) ([][]string, error) {
	config, err := pgconn.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable", c.data, c.port, c.boss, database))
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
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

func (c *cluster) sql(statements ...string) {
	c.t.Helper()
	for _, s := range statements {
		if _, err := c.Query(context.Background(), "postgres", s); err != nil {
			c.t.Fatalf("%s: %v", s, err)
		}
	}
}

// signal sends s to the postmaster.
func (c *cluster) signal(s syscall.Signal) {
	c.t.Helper()
	data, err := os.ReadFile(c.dir() + "/postmaster.pid")
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(data))[0])
	if err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Kill(pid, s); err != nil {
		c.t.Fatal(err)
	}
}

// TestRealServer breaks a real server in every way that the probes tell apart.
func TestRealServer(t *testing.T) {
	c := newCluster(t)
	real, err := host.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	made := hosttest.New(probetest.Secrets()...)
	h := &host.Host{FS: made.FS, Init: made.Init, Exec: made.Exec, Net: real.Net, DB: c, Now: time.Now, Facts: made.Facts}
	h.Facts.Layout.PostgresSock = c.data
	const password = probetest.Secret + "-keycloak-db"
	role := "create role keycloak login password '" + password + "'"
	c.sql(role, "create database keycloak owner keycloak")

	all := []probes.Probe{
		Server{Port: c.port, Service: "postgresql"}, Catalogue{Role: "keycloak", Database: "keycloak", Secret: "keycloak-db"},
		Auth{Port: c.port, Role: "keycloak", Database: "keycloak", Superuser: "postgres"},
	}
	for _, p := range Paths {
		all = append(all, Login{Path: p, Port: c.port, Role: "keycloak", Database: "keycloak", Secret: "keycloak-db"})
	}
	each := func(code probes.Code) []string {
		return []string{string(code) + " socket", string(code) + " 127.0.0.1", string(code) + " ::1"}
	}
	hba := func(method string, more ...string) func() {
		return func() { c.hba(method, more...); c.reload() }
	}
	sql := func(s ...string) func() { return func() { c.sql(s...) } }
	good := hba("scram-sha-256")
	for _, f := range []struct {
		name        string
		make, mend  func()
		want, blind []string // findings; probes that could not look
	}{
		{"healthy", func() {}, func() {}, nil, nil},
		{"trust", hba("trust"), good, append(each(AuthTrust), "postgres.auth-trust 127.0.0.1"), nil},
		{"trust for the superuser", hba("scram-sha-256", "host all postgres ::1/128 trust"), good, []string{"postgres.auth-trust ::1"}, nil},
		{"clear", hba("password"), good, append(each(AuthCleartext), each(LoginRefused)...), nil},
		{"md5", func() {
			c.sql(fmt.Sprintf("alter role keycloak password 'md5%x'", md5sum.Sum([]byte(password+"keycloak"))))
			hba("md5")()
		},
			func() { c.sql("alter role keycloak password '" + password + "'"); good() }, append([]string{"postgres.verifier-not-scram keycloak"}, each(AuthMD5)...), nil},
		{"no line", hba("scram-sha-256", "host all all ::1/128 reject"), good, []string{"postgres.no-hba-entry ::1"}, nil},
		{"peer", hba("scram-sha-256", "local all keycloak peer"), good, []string{"postgres.no-hba-entry socket"}, nil},
		{"password", sql("alter role keycloak password 'another'"), sql("alter role keycloak password '" + password + "'"), append([]string{"postgres.password-drift keycloak"}, each(PasswordRejected)...), nil},
		{"expired", sql("alter role keycloak valid until '2020-01-01'"), sql("alter role keycloak valid until 'infinity'"), append([]string{"postgres.password-drift keycloak"}, each(PasswordRejected)...), nil},
		{"nologin", sql("alter role keycloak nologin"), sql("alter role keycloak login"), []string{"postgres.role-nologin keycloak"}, nil},
		{"limit", sql("alter role keycloak connection limit 0"), sql("alter role keycloak connection limit -1"), each(TooManyConnections), nil},
		{"connect", sql("revoke connect on database keycloak from public, keycloak"), sql("grant connect on database keycloak to public, keycloak"), each(LoginRefused), nil},
		{"no database", sql("drop database keycloak with (force)"), sql("create database keycloak owner keycloak"), []string{"postgres.database-missing keycloak"}, nil},
		{"no role", sql("alter database keycloak owner to postgres", "drop role keycloak"), sql(role, "alter database keycloak owner to keycloak"), append([]string{"postgres.role-missing keycloak"}, each(PasswordRejected)...), nil},
		{"database of another", sql("alter database keycloak owner to postgres"), sql("alter database keycloak owner to keycloak"), []string{"postgres.not-owner keycloak"}, nil},
		{"v4 only", func() { c.stop(); c.start("127.0.0.1") }, func() { c.stop() }, []string{"postgres.not-listening-v6 ::1"}, nil},
		{"v6 only", func() { c.start("::1") }, func() { c.stop() }, []string{"postgres.not-listening-v4 127.0.0.1"}, nil},
		{"socket only", func() { c.start("''") }, func() { c.stop() }, []string{"postgres.not-listening-v4 127.0.0.1", "postgres.not-listening-v6 ::1"}, nil},
		{"stopped", func() {}, func() { c.start("127.0.0.1,::1") }, append([]string{"postgres.down server"}, each(Down)...), []string{"postgres.auth", "postgres.catalogue"}},
		{"frozen", func() { c.signal(syscall.SIGSTOP) }, func() { c.signal(syscall.SIGCONT) }, append([]string{"postgres.hung server"}, each(Hung)...), []string{"postgres.auth", "postgres.catalogue"}},
	} {
		f.make()
		var got, blind []string
		for _, r := range probes.Run(t.Context(), h, all, nil) {
			if r.State == probes.Unknown {
				blind = append(blind, r.Probe)
			}
			for _, x := range r.Findings {
				got = append(got, string(x.Code)+" "+x.Subject)
			}
		}
		f.mend()
		sorted := cmpopts.SortSlices(strings.Compare)
		if d := cmp.Diff(uniq(f.want), uniq(got), sorted, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: findings (-want +got):\n%s", f.name, d)
		}
		if d := cmp.Diff(f.blind, blind, sorted, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: blind probes (-want +got):\n%s", f.name, d)
		}
	}
}

func uniq(in []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
