package need

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// A Bus is a real message bus of a test's own.
type Bus struct {
	Daemon  *os.Process
	address string
}

// MessageBus starts a bus, which ends with the test.
func MessageBus(t *testing.T) *Bus {
	t.Helper()
	const program = "/usr/bin/dbus-daemon"
	Program(t, program, "dbus-daemon")
	daemon := exec.Command(program, "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+t.TempDir()+"/bus")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &Bus{Daemon: daemon.Process, address: strings.TrimSpace(address)}
}

// Connect joins the bus; the connection ends with ctx.
func (b *Bus) Connect(ctx context.Context) (*dbus.Conn, error) {
	return dbus.Connect(b.address, dbus.WithContext(ctx))
}

// Systemd lets manager answer in the place of systemd's, until the test ends or
// the connection is closed.
func (b *Bus) Systemd(t *testing.T, manager any) *dbus.Conn {
	t.Helper()
	const name, path = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
	conn, err := b.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Export(manager, path, name+".Manager"); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("take systemd's name: %v %v", r, err)
	}
	return conn
}
