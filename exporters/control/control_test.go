package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"watchdog/rules/engine"
)

// patience bounds what happens at once, or never.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server until the test ends, or it does.
func serve(t *testing.T, s *Server, path string) (ended chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan error, 1)
	done := make(chan struct{})
	go func() { defer close(done); ended <- s.Run(ctx, path) }()
	t.Cleanup(func() { cancel(); <-done })
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(path); err == nil {
			return ended
		}
		if time.Now().After(end) {
			t.Fatal("does not listen")
		}
	}
}

func ask(t *testing.T, path string) (engine.Snapshot, error) {
	t.Helper()
	c := NewClient(path)
	defer c.Close()
	return c.Snapshot(t.Context())
}

func TestReadersGetTheNewest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "socket")
	s := &Server{Vitals: func() any { return map[string]string{"ledger": "full"} }}
	serve(t, s, path)
	if _, err := ask(t, path); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("before the first snapshot: %v", err)
	}
	s.Publish(engine.Snapshot{Host: "idp"})
	s.Publish(engine.Snapshot{Host: "homer"})
	if snap, err := ask(t, path); err != nil || snap.Host != "homer" {
		t.Errorf("%+v, %v", snap, err)
	}
	var v struct{ Ledger string }
	c := NewClient(path)
	defer c.Close()
	if err := c.Vitals(t.Context(), &v); err != nil || v.Ledger != "full" {
		t.Errorf("vitals %+v, %v", v, err)
	}
}

func TestTheSocketIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	if err := os.WriteFile(path, nil, 0o666); err != nil { // left behind, by whomever
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm()&0o007 != 0 || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left beside it: %v, %v", names, err)
	}
}

// TestReadersAreBounded: whoever opens more connections than there are readers
// waits, and the others go on.
func TestReadersAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s := &Server{}
	s.Publish(engine.Snapshot{Host: "idp"})
	serve(t, s, path)
	var held []net.Conn
	for range maxReaders {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	c := NewClient(path)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Snapshot(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more is served: %v", err)
	}
	_ = held[0].Close()
	if _, err := c.Snapshot(t.Context()); err != nil {
		t.Errorf("not served when there is room: %v", err)
	}
}

func TestASocketThatIsRemovedEndsTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s := &Server{}
	ended := serve(t, s, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "was removed") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("goes on where nobody finds it")
	}
	s.Publish(engine.Snapshot{Host: "idp"})
	serve(t, s, path)
	if snap, err := ask(t, path); err != nil || snap.Host != "idp" {
		t.Errorf("run again: %+v, %v", snap, err)
	}
}

func TestTheEndIsNoError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- (&Server{}).Run(ctx, path) }()
	for _, err := os.Lstat(path); err != nil; _, err = os.Lstat(path) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}
