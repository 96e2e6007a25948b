package host

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"watchdog/packaging/lab/need"
)

// patience bounds a wait for something that happens at once, or never.
const patience = 20 * time.Second

// A listener runs a source and hears what it fires.
type listener struct {
	t     *testing.T
	fired chan string
	ended chan error
	end   context.CancelFunc
}

func listenTo(t *testing.T, s Source, names ...string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{t: t, fired: make(chan string), ended: make(chan error, 1), end: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.ended <- s(ctx, names, func(name string) {
			select {
			case l.fired <- name:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	for range names { // whoever listens anew has missed something
		l.hears(names...)
	}
	return l
}

// hears waits until one of the names is fired.
func (l *listener) hears(names ...string) {
	l.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case got := <-l.fired:
			for _, n := range names {
				if got == n {
					return
				}
			}
			l.t.Fatalf("fired %q, want one of %q", got, names)
		case err := <-l.ended:
			l.t.Fatalf("lost before it fired any of %q: %v", names, err)
		case <-deadline:
			l.t.Fatalf("none of %q was fired", names)
		}
	}
}

// quiet lets what is on its way be heard, and then wants silence.
func (l *listener) quiet() {
	l.t.Helper()
	for {
		select {
		case <-l.fired:
			continue
		case err := <-l.ended:
			l.t.Fatalf("lost: %v", err)
		case <-time.After(300 * time.Millisecond):
			return
		}
	}
}

// loses waits until the source is lost, and wants to be told why.
func (l *listener) loses(why string) {
	l.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case <-l.fired:
		case err := <-l.ended:
			if err == nil || !strings.Contains(err.Error(), why) {
				l.t.Errorf("lost with %v, want %q", err, why)
			}
			return
		case <-deadline:
			l.t.Fatal("not lost")
		}
	}
}

// A messageBus is a real one, with something on it that speaks as systemd does.
type messageBus struct {
	daemon  *os.Process
	address string
	manager *dbus.Conn
}

type fakeManager struct{}

func (fakeManager) Subscribe() *dbus.Error { return nil }

func newBus(t *testing.T) *messageBus {
	t.Helper()
	need.Program(t, "/usr/bin/dbus-daemon", "dbus-daemon")
	daemon := exec.Command("/usr/bin/dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+t.TempDir()+"/bus")
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
	b := &messageBus{daemon: daemon.Process, address: strings.TrimSpace(address)}
	b.manager = b.managerJoins(t)
	return b
}

func (b *messageBus) managerJoins(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Export(fakeManager{}, managerPath, managerName+".Manager"); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName(managerName, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("take systemd's name: %v %v", r, err)
	}
	return conn
}

func (b *messageBus) source(alive time.Duration) unitSource {
	return unitSource{alive: alive, dial: func(ctx context.Context) (*dbus.Conn, error) {
		return dbus.Connect(b.address, dbus.WithContext(ctx))
	}}
}

// changes tells of a property of a unit.
func (b *messageBus) changes(t *testing.T, unit, property string) {
	t.Helper()
	path := dbus.ObjectPath(unitPathRoot + sd.PathBusEscape(unit))
	err := b.manager.Emit(path, propsSignal, managerName+".Unit", map[string]dbus.Variant{property: dbus.MakeVariant("x")}, []string{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnitsTellOfTheirState(t *testing.T) {
	b := newBus(t)
	l := listenTo(t, b.source(time.Minute).listen, "postgresql@15-main.service", "nginx.service")
	b.changes(t, "postgresql@15-main.service", "ActiveState")
	l.hears("postgresql@15-main.service")
	b.changes(t, "nginx.service", "StateChangeTimestamp")
	b.changes(t, "cron.service", "ActiveState")
	l.quiet()
	b.changes(t, "nginx.service", "ActiveState")
	l.hears("nginx.service")
}

func TestTheBusEnds(t *testing.T) {
	b := newBus(t)
	l := listenTo(t, b.source(time.Minute).listen, "nginx.service") // a minute: it is told, not found out
	if err := b.daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	l.loses("ended the connection")
}

func TestTheBusHangs(t *testing.T) {
	b := newBus(t)
	l := listenTo(t, b.source(50*time.Millisecond).listen, "nginx.service")
	if err := b.daemon.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.loses("no answer")
	// It takes connections still.
	again := &listener{t: t, fired: make(chan string), ended: make(chan error, 1)}
	go func() {
		again.ended <- b.source(time.Minute).listen(context.Background(), []string{"nginx.service"}, func(string) {})
	}()
	again.loses("no answer")
	if err := b.daemon.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l = listenTo(t, b.source(time.Minute).listen, "nginx.service")
	b.changes(t, "nginx.service", "ActiveState")
	l.hears("nginx.service")
}

func TestTheManagerLeavesTheBus(t *testing.T) {
	b := newBus(t)
	l := listenTo(t, b.source(time.Minute).listen, "nginx.service")
	if err := b.manager.Close(); err != nil {
		t.Fatal(err)
	}
	l.loses("left the system bus")
	again := make(chan error, 1)
	go func() {
		again <- b.source(time.Minute).listen(context.Background(), []string{"nginx.service"}, func(string) {})
	}()
	if err := <-again; err == nil {
		t.Error("listens to nobody")
	}
	b.manager = b.managerJoins(t)
	l = listenTo(t, b.source(time.Minute).listen, "nginx.service")
	b.changes(t, "nginx.service", "ActiveState")
	l.hears("nginx.service")
}
