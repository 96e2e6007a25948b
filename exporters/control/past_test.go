package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchdog/rules/ledger"
)

// client serves s on a socket of its own for the length of the test.
func client(t *testing.T, s *Server) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "watchdog.sock")
	serve(t, s, path)
	c := NewClient(path)
	t.Cleanup(c.Close)
	return c
}

func TestNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog.sock")
	if _, err := NewClient(path).Snapshot(t.Context()); !errors.Is(err, ErrNoEngine) || strings.Contains(err.Error(), "http:") {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed engine leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(path).Snapshot(t.Context()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("a socket that a killed engine left: %v", err)
	}
}

func TestHistory(t *testing.T) {
	var asked ledger.Query
	s := Server{History: func(q ledger.Query) (ledger.History, error) {
		asked = q
		if q.ID == "bad" {
			return ledger.History{}, errors.New("read ledger: it is damaged")
		}
		return ledger.History{Incidents: []json.RawMessage{json.RawMessage(`{"id":"a"}`)}, LeftOut: 3}, nil
	}}
	c := client(t, &s)
	since := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	h, err := c.History(t.Context(), ledger.Query{Since: since, ID: "2026&since=x"})
	if err != nil || len(h.Incidents) != 1 || string(h.Incidents[0]) != `{"id":"a"}` || h.LeftOut != 3 {
		t.Errorf("got %+v, %v", h, err)
	}
	if !asked.Since.Equal(since) || asked.ID != "2026&since=x" {
		t.Errorf("asked %+v", asked)
	}
	if _, err := c.History(t.Context(), ledger.Query{ID: "bad"}); err == nil || !strings.Contains(err.Error(), "it is damaged") || errors.Is(err, ErrNoEngine) {
		t.Errorf("of a damaged ledger: %v", err)
	}
	if err := c.get(t.Context(), "/v1/incidents?since=noon", historyMost, &h); err == nil || !strings.Contains(err.Error(), "no time") {
		t.Errorf("since noon: %v", err)
	}
	c = client(t, &Server{})
	if _, err := c.History(t.Context(), ledger.Query{}); err == nil || !strings.Contains(err.Error(), noLedger) {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	s := Server{History: func(ledger.Query) (ledger.History, error) {
		return ledger.History{Incidents: []json.RawMessage{json.RawMessage(`"` + strings.Repeat("x", historyMost) + `"`)}}, nil
	}}
	if _, err := client(t, &s).History(t.Context(), ledger.Query{}); err == nil {
		t.Error("all of it was read")
	}
}

// withOne is a server with one recording.
func withOne() *Server {
	return &Server{Recording: func(id string) ([]byte, error) {
		if id != "20260102T120000.000" {
			return nil, nil
		}
		return []byte(`{"schema":1}`), nil
	}}
}

func TestARecordingIsForRoot(t *testing.T) {
	c := client(t, withOne())
	data, err := c.Recording(t.Context(), "20260102T120000.000")
	if os.Geteuid() != 0 { // the kernel says who asks
		if err == nil || !strings.Contains(err.Error(), "for root") {
			t.Errorf("got %s, %v", data, err)
		}
		return
	}
	if err != nil || string(data) != `{"schema":1}` {
		t.Errorf("got %s, %v", data, err)
	}
	if _, err := c.Recording(t.Context(), "../x"); err == nil || !strings.Contains(err.Error(), `there is no recording "../x"`) {
		t.Errorf("of one that is not there: %v", err)
	}
}

func TestARecordingIsForNobodyElse(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"a member of the group":         context.WithValue(t.Context(), peerKey{}, peer{Uid: 1000}),
		"nobody that the kernel names":  t.Context(),
		"somebody by another transport": withPeer(t.Context(), &net.TCPConn{}),
	} {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/recordings/20260102T120000.000", nil)
		r.SetPathValue("id", "20260102T120000.000")
		w := httptest.NewRecorder()
		withOne().recording(w, r)
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "schema") {
			t.Errorf("%s gets %d: %s", name, w.Code, w.Body)
		}
	}
}
