package need

import (
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
)

// A Cluster is a real PostgreSQL server of a test's own, whose superuser is
// "postgres".
type Cluster struct {
	Dir   string // of its socket
	Data  string
	Major string
	Port  int

	t   *testing.T
	bin string
	as  *syscall.Credential // whom it runs as; nil for this process's user
}

// PostgreSQL makes a cluster on a free port; it does not run yet, lets everybody
// in, and goes with the test.
func PostgreSQL(t *testing.T) *Cluster {
	t.Helper()
	const bins = "/usr/lib/postgresql/*/bin"
	Program(t, bins+"/initdb", "postgresql-15")
	found, err := filepath.Glob(bins)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{t: t, bin: found[len(found)-1]}
	c.Major = filepath.Base(filepath.Dir(c.bin))
	// Sockets have short names only.
	if c.Dir, err = os.MkdirTemp("/tmp", "pg"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(c.Dir) })
	c.Data = c.Dir + "/data"
	if os.Getuid() == 0 {
		c.asPostgres()
	}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	c.run("initdb", "-U", "postgres", "--auth=trust", "--no-sync")
	t.Cleanup(c.Stop)
	return c
}

// asPostgres gives the cluster to the user postgres: the server refuses root.
func (c *Cluster) asPostgres() {
	c.t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		c.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(c.Dir, uid, gid); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Cluster) run(name string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), append([]string{"-D", c.Data}, args...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	// The server outlives pg_ctl and would keep a pipe open.
	log, err := os.OpenFile(c.Dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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

// File writes a file of the cluster's, as pg_hba.conf is.
func (c *Cluster) File(name string, lines ...string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.Data, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// Start starts the server and waits until it answers. Listen is as in
// listen_addresses; its socket it has in any case.
func (c *Cluster) Start(listen string) {
	c.t.Helper()
	c.run("pg_ctl", "-w", "-o", fmt.Sprintf("-p %d -k %s -c listen_addresses='%s' -c fsync=off", c.Port, c.Dir, listen), "start")
}

// Stop stops the server, if it runs.
func (c *Cluster) Stop() {
	c.t.Helper()
	if _, err := os.Stat(c.Data + "/postmaster.pid"); err == nil {
		c.run("pg_ctl", "-w", "-m", "immediate", "stop")
	}
}

// Reload has the server read its files again, which it does when it gets to it.
func (c *Cluster) Reload() {
	c.t.Helper()
	c.run("pg_ctl", "reload")
}

// Signal sends s to the server's first process.
func (c *Cluster) Signal(s syscall.Signal) {
	c.t.Helper()
	data, err := os.ReadFile(c.Data + "/postmaster.pid")
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
