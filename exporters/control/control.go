// Package control is the engine's one door: a unix socket, by which those who
// show what the engine knows read it. Its file mode and group say who may.
//
// Where it stands: engine ─▶ snapshot ─▶ [control] ─▶ export, status.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// Socket is where the engine listens.
const Socket = "/run/watchdog/watchdog.sock"

// Group may read the socket.
const Group = "watchdog"

// A Server hands out the newest snapshot, and the past.
type Server struct {
	// Vitals, when not nil, gives what the daemon knows of itself, as JSON. It
	// may wait for a disk: only its reader waits with it.
	Vitals func() any
	// History answers from the ledger, Recording gives a recording as JSON,
	// nothing when there is none. Both may be nil, where there is no ledger.
	History   func(ledger.Query) (ledger.History, error)
	Recording func(id string) ([]byte, error)

	newest atomic.Pointer[engine.Snapshot]
	past   sync.Mutex // one reader of the past at a time
}

// Publish makes s the newest snapshot.
func (s *Server) Publish(snap engine.Snapshot) { s.newest.Store(&snap) }

// Bounds of what readers may hold of the engine's descriptors and memory. Whoever
// waits longer than this between two questions dials again.
const (
	maxReaders = 32
	idle       = 2 * time.Minute
)

// lookAfter is how often the socket is looked for under its name: without it
// nobody finds the server, however well it is.
const lookAfter = 5 * time.Second

// Run listens on path and answers until ctx ends, or until the server or its
// socket is gone; then the error says how, and Run may be called again.
func (s *Server) Run(ctx context.Context, path string) error {
	l, err := Listen(path)
	if err != nil {
		return err
	}
	mine, err := os.Lstat(path)
	if err != nil {
		return errors.Join(removed(path, err), l.Close())
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		for there := true; there && sleep(ctx, lookAfter); {
			// Another engine's socket is left alone: it would do the same.
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				end(removed(path, err))
				there = false
			}
		}
	}()
	err = s.Serve(ctx, l)
	if is, statErr := os.Lstat(path); statErr == nil && os.SameFile(is, mine) {
		err = errors.Join(err, os.Remove(path))
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

func removed(path string, err error) error {
	return fmt.Errorf("serve control socket: %s was removed: %w", path, err)
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/snapshot", s.snapshot)
	mux.HandleFunc("GET /v1/vitals", s.vitals)
	mux.HandleFunc("GET /v1/incidents", s.incidents)
	mux.HandleFunc("GET /v1/recordings/{id}", s.recording)
	srv := &http.Server{
		Handler: mux, ConnContext: withPeer, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: idle, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(netutil.LimitListener(peers{l}, maxReaders)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return nil
}

func (s *Server) snapshot(w http.ResponseWriter, _ *http.Request) {
	snap := s.newest.Load()
	if snap == nil {
		http.Error(w, "not started yet", http.StatusServiceUnavailable)
		return
	}
	answer(w, snap)
}

func (s *Server) vitals(w http.ResponseWriter, _ *http.Request) {
	if s.Vitals == nil {
		http.Error(w, "none", http.StatusNotFound)
		return
	}
	answer(w, s.Vitals())
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is the reader's going away.
	_ = json.NewEncoder(w).Encode(v)
}
