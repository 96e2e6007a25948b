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
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"watchdog/rules/engine"
)

// Socket is where the engine listens.
const Socket = "/run/watchdog/watchdog.sock"

// Group may read the socket.
const Group = "watchdog"

// A Server hands out the newest snapshot.
type Server struct {
	// Vitals, when not nil, gives what the daemon knows of itself, as JSON. It
	// may wait for a disk: only its reader waits with it.
	Vitals func() any

	newest atomic.Pointer[engine.Snapshot]
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
		return errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		for there := true; there && sleep(ctx, lookAfter); {
			// Another engine's socket is left alone: it would do the same.
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				end(fmt.Errorf("serve control socket: %s was removed", path))
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
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: idle, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(netutil.LimitListener(l, maxReaders)); !errors.Is(err, http.ErrServerClosed) {
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
	err := c.get(ctx, "/v1/snapshot", &snap)
	return snap, err
}

// Vitals reads what the daemon knows of itself into v.
func (c *Client) Vitals(ctx context.Context, v any) error { return c.get(ctx, "/v1/vitals", v) }

func (c *Client) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://watchdog"+path, nil)
	if err != nil {
		return fmt.Errorf("ask the engine: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the engine: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the engine: %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(v); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	return nil
}
