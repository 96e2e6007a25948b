package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// busTime is the most that one call to systemd, or opening its connection, may
// take: a manager that is busy answers in milliseconds, one that is stuck
// never does.
const busTime = 2 * time.Second

// bus is what is asked of a connection to systemd.
type bus interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	Connected() bool
	Close()
}

// systemd is [Init] over one connection, made at the first question and again
// when it is lost.
type systemd struct {
	open func(ctx context.Context) (bus, error)
	gate chan struct{} // held while opening

	mu   sync.Mutex
	conn bus
}

// Unit implements [Init]. It is one call: asking for the properties of all
// interfaces at once costs systemd less than a call for each.
func (s *systemd) Unit(ctx context.Context, name string) (Unit, error) {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	props, err := s.properties(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("look at unit %s: %w", name, err)
	}
	return parseUnit(name, props), nil
}

// properties asks twice when the kept connection turns out to be lost.
func (s *systemd) properties(ctx context.Context, name string) (map[string]any, error) {
	for again := true; ; again = false {
		conn, err := s.connect(ctx)
		if err != nil {
			return nil, fmt.Errorf("reach systemd: %w", err)
		}
		props, err := conn.GetAllPropertiesContext(ctx, name)
		if err == nil {
			return props, nil
		}
		lost := !conn.Connected() || errors.Is(err, dbus.ErrClosed)
		if lost || ctx.Err() != nil {
			s.drop(conn)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer from systemd: %w", ctx.Err())
		}
		if !lost || !again {
			return nil, err
		}
	}
}

func (s *systemd) kept() bus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && !s.conn.Connected() {
		s.conn.Close()
		s.conn = nil
	}
	return s.conn
}

// connect returns the kept connection, or opens one; the others who want one
// wait for it no longer than their own time.
func (s *systemd) connect(ctx context.Context) (bus, error) {
	if conn := s.kept(); conn != nil {
		return conn, nil
	}
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if conn := s.kept(); conn != nil {
		return conn, nil
	}
	conn, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return conn, nil
}

// drop closes a connection that no longer serves.
func (s *systemd) drop(conn bus) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == conn {
		s.conn = nil
	}
}

func (s *systemd) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// openBus connects to systemd itself, which does not need dbus-daemon to live,
// and where that is not for this user, to the system bus. Manager.Subscribe is
// never called on it: over the private socket it has been seen not to answer.
func openBus(ctx context.Context) (bus, error) {
	direct, err := openWithin(ctx, sd.NewSystemdConnectionContext)
	if err == nil {
		return direct, nil
	}
	system, err2 := openWithin(ctx, sd.NewSystemConnectionContext)
	if err2 == nil {
		return system, nil
	}
	return nil, errors.Join(err, err2)
}

// openWithin opens a connection within ctx, though its life is not bound to
// ctx: closing it is what interrupts a handshake that hangs.
func openWithin(ctx context.Context, open func(context.Context) (*sd.Conn, error)) (*sd.Conn, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	conn, err := open(life)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err == nil && !conn.Connected() {
		err = dbus.ErrClosed
	}
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		end()
		return nil, err
	}
	return conn, nil
}

// parseUnit turns systemd's properties into a [Unit].
func parseUnit(name string, props map[string]any) Unit {
	text := func(key string) string { s, _ := props[key].(string); return s }
	load, active, file := text("LoadState"), text("ActiveState"), text("UnitFileState")
	u := Unit{Name: name, State: unitState(load, active, file)}
	if u.State == Absent {
		u.Detail = "no such unit"
		return u
	}
	u.Enabled = slices.Contains(atBoot, file)
	if pid, ok := props["MainPID"].(uint32); ok {
		u.PID = int(pid)
	}
	if us, ok := props["StateChangeTimestamp"].(uint64); ok && us != 0 {
		u.Since = time.UnixMicro(int64(us))
	}
	if id, ok := props["InvocationID"].([]byte); ok && len(id) >= 8 {
		u.Starts = binary.BigEndian.Uint64(id)
	}
	if result := text("Result"); result != "success" && u.State != Running {
		u.Result = result
	}
	if u.State == Failed && u.Result == "" && load != "loaded" {
		u.Result = load // bad-setting, error: it can't be started
	}
	detail := []string{fmt.Sprintf("%s (%s)", active, text("SubState")), load}
	if file != "" {
		detail = append(detail, file)
	}
	if u.Result != "" {
		detail = append(detail, "result "+u.Result)
	}
	if n, gaveUp := restarts(props); gaveUp && u.State == Failed {
		u.Result = "start-limit-hit"
		detail = append(detail, fmt.Sprintf("restarted %d times", n))
	}
	if status, ok := props["ExecMainStatus"].(int32); ok && u.State != Running && status != 0 {
		detail = append(detail, fmt.Sprintf("status %d", status))
	}
	u.Detail = strings.Join(detail, ", ")
	return u
}

// restarts returns how often systemd restarted a service by itself, and whether
// that is as often as it will. systemd 252 says start-limit-hit only of one that
// ended well each time; of others it keeps the last failure ("exit-code").
func restarts(props map[string]any) (n uint32, gaveUp bool) {
	n, _ = props["NRestarts"].(uint32)
	burst, _ := props["StartLimitBurst"].(uint32)
	policy, _ := props["Restart"].(string)
	return n, burst > 0 && n >= burst && policy != "no"
}

// atBoot lists the states of unit files whose unit starts at boot by itself or
// has nothing to enable. The instance of PostgreSQL's cluster is
// enabled-runtime: Debian's generator enables it at each boot.
var atBoot = []string{"enabled", "enabled-runtime", "static", "alias", "indirect", "generated"}

// unitState puts systemd's states into ours. A unit that runs is
// running, masked or without its file: it does its work until somebody stops
// it.
func unitState(load, active, file string) UnitState {
	switch {
	case active == "active", active == "reloading", active == "refreshing":
		return Running
	case active == "activating":
		return Starting
	case active == "deactivating":
		return Stopping
	case load == "not-found":
		return Absent
	case load == "masked", file == "masked", file == "masked-runtime":
		return Masked
	case active == "failed", load == "bad-setting", load == "error":
		return Failed
	}
	return Stopped
}
