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
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"watchdog/rules/engine"
)

// Socket is where the engine listens.
const Socket = "/run/watchdog/watchdog.sock"

// Group may read the socket.
const Group = "watchdog"

// A Server hands out the newest snapshot.
type Server struct {
	newest atomic.Pointer[engine.Snapshot]
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
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
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
	w.Header().Set("Content-Type", "application/json")
	// An error here is the reader's going away.
	_ = json.NewEncoder(w).Encode(snap)
}

// A Client reads the socket.
type Client struct{ http http.Client }

// NewClient dials path for each request.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 1, IdleConnTimeout: time.Minute}}}
}

// most bounds a snapshot read from the socket.
const most = 4 << 20

// Snapshot returns the engine's newest snapshot.
func (c *Client) Snapshot(ctx context.Context) (engine.Snapshot, error) {
	var snap engine.Snapshot
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://watchdog/v1/snapshot", nil)
	if err != nil {
		return snap, fmt.Errorf("ask the engine: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return snap, fmt.Errorf("ask the engine: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return snap, fmt.Errorf("ask the engine: %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&snap); err != nil {
		return snap, fmt.Errorf("read the engine's answer: %w", err)
	}
	return snap, nil
}
