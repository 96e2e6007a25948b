package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

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

// Close ends what the client holds open.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ErrNoEngine says that nobody listens on the socket.
var ErrNoEngine = errors.New("no engine answers")

// Bounds of what is read from the socket, in bytes.
const (
	snapshotMost = 4 << 20
	historyMost  = 8 << 20
	refusalMost  = 512
)

// Snapshot returns the engine's newest snapshot.
func (c *Client) Snapshot(ctx context.Context) (engine.Snapshot, error) {
	var snap engine.Snapshot
	err := c.get(ctx, "/v1/snapshot", snapshotMost, &snap)
	return snap, err
}

// Vitals reads what the daemon knows of itself into v.
func (c *Client) Vitals(ctx context.Context, v any) error {
	return c.get(ctx, "/v1/vitals", snapshotMost, v)
}

// History asks the engine for incidents.
func (c *Client) History(ctx context.Context, q ledger.Query) (ledger.History, error) {
	values := url.Values{}
	if q.ID != "" {
		values.Set("id", q.ID)
	}
	if !q.Since.IsZero() {
		values.Set("since", q.Since.Format(time.RFC3339))
	}
	var h ledger.History
	err := c.get(ctx, "/v1/incidents?"+values.Encode(), historyMost, &h)
	return h, err
}

// Recording asks for a recording, as JSON. Only root gets it.
func (c *Client) Recording(ctx context.Context, id string) ([]byte, error) {
	var data json.RawMessage
	err := c.get(ctx, "/v1/recordings/"+url.PathEscape(id), ledger.RecordingMost+1, &data)
	return data, err
}

// get decodes an answer of at most that many bytes.
func (c *Client) get(ctx context.Context, path string, most int64, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://watchdog"+path, nil)
	if err != nil {
		return fmt.Errorf("ask the engine: %w", err)
	}
	resp, err := c.http.Do(req)
	if outer := (*url.Error)(nil); errors.As(err, &outer) { // the URL is made up
		err = outer.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("ask the engine: %w: %w", ErrNoEngine, err)
	case err != nil:
		return fmt.Errorf("ask the engine: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, refusalMost)) // what there is of it
		return fmt.Errorf("ask the engine: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(v); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	return nil
}
