package hosttest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

func TestFiles(t *testing.T) {
	h := hosttest.New(
		hosttest.File("/etc/letsencrypt/archive/idp/cert1.pem", "one"),
		hosttest.Link("/etc/letsencrypt/live/idp/cert.pem", "../../archive/idp/cert1.pem"),
		hosttest.Link("/live", "/etc/letsencrypt/live"),
		hosttest.Link("/loop", "loop"),
		hosttest.Unreadable("/secret", fs.ErrPermission),
		hosttest.File("/secret/file", "x"),
	)
	if data, err := h.FS.ReadFile("/live/idp/cert.pem"); err != nil || string(data) != "one" {
		t.Errorf("through links: %q, %v", data, err)
	}
	n, err := h.FS.Node("/live/idp/cert.pem")
	if err != nil || n == nil || n.Mode.Type() != fs.ModeSymlink || string(n.Data) != "../../archive/idp/cert1.pem" {
		t.Errorf("the link itself: %+v, %v", n, err)
	}
	if n, err := h.FS.Node("/etc/letsencrypt"); err != nil || n == nil || !n.Mode.IsDir() || n.Owner != "root" {
		t.Errorf("a directory on the way: %+v, %v", n, err)
	}
	if n, err := h.FS.Node("/missing/file"); err != nil || n != nil {
		t.Errorf("missing: %+v, %v; want neither", n, err)
	}
	names, err := h.FS.ReadDir("/etc/letsencrypt")
	if diff := cmp.Diff([]string{"archive", "live"}, names); err != nil || diff != "" {
		t.Errorf("names: %v\n%s", err, diff)
	}
	for name, want := range map[string]error{
		"/missing": fs.ErrNotExist, "/etc": syscall.EISDIR, "/loop": syscall.ELOOP, "/secret/file": fs.ErrPermission,
	} {
		if _, err := h.FS.ReadFile(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := h.FS.ReadDir("/live/idp/cert.pem"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("names in a file: %v", err)
	}
	// What is handed out is a copy.
	n, _ = h.FS.Node("/etc/letsencrypt/archive/idp/cert1.pem")
	n.Data[0] = 'X'
	if data, _ := h.FS.ReadFile("/etc/letsencrypt/archive/idp/cert1.pem"); string(data) != "one" {
		t.Errorf("a caller changed the file: %q", data)
	}
}

func TestUsage(t *testing.T) {
	full := host.Usage{Size: 1 << 30}
	h := hosttest.New(hosttest.Dir("/var/lib/postgresql/15"), hosttest.Dir("/var/lib/postgres"), hosttest.Usage("/var/lib/postgresql", full))
	if u, err := h.FS.Usage("/var/lib/postgresql/15"); err != nil || u != full {
		t.Errorf("below: %+v, %v", u, err)
	}
	if u, err := h.FS.Usage("/var/lib/postgres"); err != nil || u.Free == 0 {
		t.Errorf("beside: %+v, %v", u, err)
	}
	if _, err := h.FS.Usage("/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestMachineChanges(t *testing.T) {
	m := hosttest.NewMachine(hosttest.Unit("nginx.service", host.Running))
	h := m.Host()
	m.Set("/etc/hosts", &host.Node{Mode: 0o644, Data: []byte("x")})
	if data, err := h.FS.ReadFile("/etc/hosts"); err != nil || string(data) != "x" {
		t.Errorf("after Set: %q, %v", data, err)
	}
	m.Set("/etc/hosts", nil)
	if m.Get("/etc/hosts") != nil {
		t.Error("still there after its removal")
	}
	m.Change(hosttest.Unit("nginx.service", host.Failed))
	if u, err := h.Init.Unit(t.Context(), "nginx.service"); err != nil || u.State != host.Failed || u.PID != 0 {
		t.Errorf("after a change: %+v, %v", u, err)
	}
	if u, err := h.Init.Unit(t.Context(), "x.service"); err != nil || u.State != host.Absent {
		t.Errorf("not made up: %+v, %v", u, err)
	}
	m.Pass(hosttest.Noon.Sub(hosttest.Noon) + 5)
	if got := h.Now().Sub(hosttest.Noon); got != 5 {
		t.Errorf("%d ns passed, want 5", got)
	}
}

func TestDialStream(t *testing.T) {
	h := hosttest.New(hosttest.Serve("[::1]:1", hosttest.Say("hello")), hosttest.Serve("[::1]:4", hosttest.Hang))
	c, err := h.Net.Dial(t.Context(), "tcp6", "[::1]:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.RemoteAddr().String() != "[::1]:1" {
		t.Errorf("remote address %s", c.RemoteAddr())
	}
	if _, ok := c.(net.PacketConn); ok {
		t.Error("a stream that looks like a packet connection")
	}
	_, _ = io.WriteString(c, "?")
	if data, err := io.ReadAll(c); err != nil || string(data) != "hello" {
		t.Errorf("heard %q, %v", data, err)
	}
	hung, err := h.Net.Dial(t.Context(), "tcp6", "[::1]:4")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	if err := hung.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := hung.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one that hangs: %v", err)
	}
}

func TestDial(t *testing.T) {
	h := hosttest.New(
		hosttest.Serve("udp6 [::1]:53", func(c net.Conn) {
			b := make([]byte, 100)
			for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
				_, _ = c.Write(b[:n])
			}
		}),
		hosttest.Serve("[::1]:80", hosttest.HTTP(http.NotFoundHandler())),
		hosttest.Refuse("[::1]:3", syscall.EHOSTUNREACH),
	)
	u, err := h.Net.Dial(t.Context(), "udp6", "[::1]:53")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := u.(net.PacketConn); !ok {
		t.Error("datagrams that do not look like a packet connection")
	}
	b := make([]byte, 100)
	for _, want := range []string{"first", "second one"} {
		_, _ = io.WriteString(u, want)
		if n, err := u.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v; want %q", b[:n], err, want)
		}
	}
	u.Close()

	for address, want := range map[string]error{"[::1]:2": syscall.ECONNREFUSED, "[::1]:3": syscall.EHOSTUNREACH} {
		if _, err := h.Net.Dial(t.Context(), "tcp6", address); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
	if _, err := h.Net.Dial(t.Context(), "unix", "/run/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket: %v", err)
	}
	if _, err := h.Net.Dial(t.Context(), "tcp6", "127.0.0.1:1"); err == nil {
		t.Error("dialled the other family")
	}
	resp, err := h.HTTPClient("[::1]:80", "", host.Fresh).Get("http://x/")
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("HTTP: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestAnswers(t *testing.T) {
	boom := errors.New("boom")
	h := hosttest.New(
		hosttest.Rows("from pg_database", []string{"any"}),
		hosttest.Rows("from pg_database where datname", []string{"one"}),
		hosttest.Answer("from pg_authid", func(database string, args ...any) ([][]string, error) {
			return [][]string{{database, args[0].(string)}}, nil
		}),
		hosttest.Output("nginx -T", "config"),
		hosttest.Output("journalctl -u a.service", "{}"),
		hosttest.Run("nft -j list ruleset", func(...string) ([]byte, error) { return nil, boom }),
	)
	query := func(statement string, args ...any) string {
		rows, err := h.DB.Query(t.Context(), "postgres", statement, args...)
		if err != nil {
			return err.Error()
		}
		return strings.Join(rows[0], " ")
	}
	for statement, want := range map[string]string{
		"select 1\n\tfrom   pg_database":             "any",
		"select 1 from pg_database where datname=$1": "one",
		"select 1 from pg_authid":                    "postgres x",
	} {
		if got := query(statement, "x"); got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
	if got := query("select 2"); !strings.Contains(got, "no answer") {
		t.Errorf("not made up: %q", got)
	}
	if out, err := h.Exec.Run(t.Context(), "journalctl", "-u", "a.service", "-o", "json", "-n", "5"); err != nil || string(out) != "{}" {
		t.Errorf("command: %q, %v", out, err)
	}
	if _, err := h.Exec.Run(t.Context(), "nft", "-j", "list", "ruleset"); !errors.Is(err, boom) {
		t.Errorf("failing command: %v", err)
	}
	if _, err := h.Exec.Run(t.Context(), "rm", "-r", "/"); err == nil || !strings.Contains(err.Error(), "not on the list") {
		t.Errorf("command off the list: %v", err)
	}
	if _, err := h.Exec.Run(t.Context(), "sshd", "-T"); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("not made up: %v", err)
	}
}

// On a blind host, and with a context that has ended, nothing is seen.
func TestNothingIsSeen(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	everything := []hosttest.Option{
		hosttest.Unit("a.service", host.Running), hosttest.Serve("[::1]:1", hosttest.Close),
		hosttest.Rows("select 1"), hosttest.Output("nginx -T", ""), hosttest.File("/x", ""),
	}
	m := hosttest.NewMachine(everything...)
	blind := m.Host()
	m.Change(hosttest.Blind())
	for name, tt := range map[string]struct {
		h    *host.Host
		ctx  context.Context
		want error
	}{"blind": {blind, t.Context(), hosttest.ErrBlind}, "ended": {hosttest.New(everything...), ended, context.Canceled}} {
		_, unit := tt.h.Init.Unit(tt.ctx, "a.service")
		_, dial := tt.h.Net.Dial(tt.ctx, "tcp6", "[::1]:1")
		_, listeners := tt.h.Net.Listeners(tt.ctx)
		_, addresses := tt.h.Net.Addresses(tt.ctx)
		_, query := tt.h.DB.Query(tt.ctx, "postgres", "select 1")
		_, run := tt.h.Exec.Run(tt.ctx, "nginx", "-T")
		for what, err := range map[string]error{"unit": unit, "dial": dial, "listeners": listeners, "addresses": addresses, "query": query, "run": run} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v, want %v", name, what, err, tt.want)
			}
		}
	}
	if _, err := blind.FS.Node("/x"); !errors.Is(err, hosttest.ErrBlind) {
		t.Errorf("blind, node: %v", err)
	}
}
