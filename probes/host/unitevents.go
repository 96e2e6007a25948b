package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// aliveCheck is how often systemd is asked whether it still hears us: nothing
// tells of a bus that hangs.
const aliveCheck = 5 * time.Second

// What is said to systemd and to the bus, and by whom.
const (
	managerName  = "org.freedesktop.systemd1"
	managerPath  = "/org/freedesktop/systemd1"
	propsSignal  = "org.freedesktop.DBus.Properties.PropertiesChanged"
	ownerSignal  = "org.freedesktop.DBus.NameOwnerChanged"
	unitPathRoot = managerPath + "/unit/"
)

// A unitSource tells of units whose state changes. It listens on the system bus:
// on systemd's private socket Manager.Subscribe was seen never to answer.
type unitSource struct {
	dial  func(ctx context.Context) (*dbus.Conn, error)
	alive time.Duration
}

// dialSignals connects to the system bus; the connection ends with ctx.
func dialSignals(ctx context.Context) (*dbus.Conn, error) {
	return dbus.ConnectSystemBus(dbus.WithContext(ctx))
}

// listen is a [Source]. Every question has a time-out: a bus that hangs takes
// connections and answers nothing.
func (s unitSource) listen(ctx context.Context, names []string, fire func(string)) error {
	life, end := context.WithCancel(ctx)
	defer end()
	conn, err := s.connect(ctx, life, end)
	if err != nil {
		return fmt.Errorf("listen to systemd: %w", err)
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	units, err := subscribe(ctx, conn, names)
	if err != nil {
		return fmt.Errorf("listen to systemd: %w", err)
	}
	for _, n := range names {
		fire(n)
	}
	alive := time.NewTicker(s.alive)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-conn.Context().Done():
			return errors.New("listen to systemd: the system bus ended the connection")
		case <-alive.C:
			if err := call(ctx, conn.Object(managerName, managerPath), "org.freedesktop.DBus.Peer.Ping"); err != nil {
				return fmt.Errorf("listen to systemd: no answer over the system bus: %w", err)
			}
		case sig, ok := <-signals:
			switch {
			case !ok:
				return errors.New("listen to systemd: the system bus ended the connection")
			case sig.Name == ownerSignal && left(sig): // to whoever has its name now, we have not subscribed
				return errors.New("listen to systemd: it left the system bus")
			case sig.Name == propsSignal && stateChanged(sig):
				if n, ok := units[sig.Path]; ok {
					fire(n)
				}
			}
		}
	}
}

// connect opens the connection within [busTime], though its life is longer.
func (s unitSource) connect(ctx, life context.Context, end func()) (*dbus.Conn, error) {
	late := time.AfterFunc(busTime, end)
	conn, err := s.dial(life)
	if !late.Stop() && ctx.Err() == nil {
		err = errors.Join(fmt.Errorf("no answer from the system bus within %s", busTime), err)
		if conn != nil {
			conn.Close()
		}
	}
	return conn, err
}

// subscribe asks for the signals of these units and no others, and returns the
// name of each by its path.
func subscribe(ctx context.Context, conn *dbus.Conn, names []string) (map[dbus.ObjectPath]string, error) {
	rules := []string{"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" + managerName + "'"}
	units := map[dbus.ObjectPath]string{}
	for _, n := range names {
		path := unitPathRoot + sd.PathBusEscape(n)
		units[dbus.ObjectPath(path)] = n
		rules = append(rules, "type='signal',sender='"+managerName+"',member='PropertiesChanged',path='"+path+"'")
	}
	for _, r := range rules {
		if err := call(ctx, conn.BusObject(), "org.freedesktop.DBus.AddMatch", r); err != nil {
			return nil, err
		}
	}
	return units, call(ctx, conn.Object(managerName, managerPath), managerName+".Manager.Subscribe")
}

func call(ctx context.Context, o dbus.BusObject, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	return o.CallWithContext(ctx, method, 0, args...).Err
}

// left reports whether a signal of a changed owner says that there was one.
func left(sig *dbus.Signal) bool {
	if len(sig.Body) < 3 {
		return false
	}
	old, _ := sig.Body[1].(string)
	return old != ""
}

// stateChanged reports whether a signal of changed properties is about a unit's
// state.
func stateChanged(sig *dbus.Signal) bool {
	if len(sig.Body) < 2 {
		return false
	}
	changed, _ := sig.Body[1].(map[string]dbus.Variant)
	_, ok := changed["ActiveState"]
	return ok
}
