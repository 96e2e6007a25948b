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
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// Socket is where the engine listens.
const Socket = "/run/watchdog/watchdog.sock"

// Group may read the socket.
const Group = "watchdog"

// A Server hands out the newest snapshot, and the past.
type Server struct {
	// History answers from the ledger, Recording gives a recording as JSON,
	// nothing when there is none. Both are nil where there is no ledger.
	History   func(ledger.Query) (ledger.History, error)
	Recording func(id string) ([]byte, error)

	newest atomic.Pointer[engine.Snapshot]
	past   sync.Mutex // one reader of the past at a time
}

// Publish makes s the newest snapshot.
func (s *Server) Publish(snap engine.Snapshot) { s.newest.Store(&snap) }

// Listen makes the socket for root and the group. One that a killed engine left
// behind is taken over.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	old := syscall.Umask(0o177) // never open to others, not even for a moment
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	g, err := user.LookupGroup(Group)
	if err != nil {
		return l, nil // no group, root alone reads
	}
	gid, err := strconv.Atoi(g.Gid)
	if err == nil {
		err = os.Chown(path, 0, gid)
	}
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/snapshot", s.snapshot)
	mux.HandleFunc("GET /v1/incidents", s.incidents)
	mux.HandleFunc("GET /v1/recordings/{id}", s.recording)
	srv := &http.Server{
		Handler: mux, ConnContext: withPeer, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
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

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is the reader's going away.
	_ = json.NewEncoder(w).Encode(v)
}
