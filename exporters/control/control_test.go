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

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// serve serves s on a socket of its own for the length of the test.
func serve(t *testing.T, s *Server) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "watchdog.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("the socket is %v, %v: others may speak to the engine", fi.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return NewClient(path)
}

func TestSnapshot(t *testing.T) {
	var s Server
	c := serve(t, &s)
	if _, err := c.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "not started yet") {
		t.Errorf("before the first one: %v", err)
	}
	want := engine.Snapshot{Schema: 1, Host: "idp", State: "ok", Hold: "held", Open: []engine.OpenIncident{{ID: "a"}}}
	s.Publish(want)
	got, err := c.Snapshot(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
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
	again, err := Listen(path)
	if err != nil {
		t.Fatalf("it is not taken over: %v", err)
	}
	again.Close()
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
	c := serve(t, &s)
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
	c = serve(t, &Server{})
	if _, err := c.History(t.Context(), ledger.Query{}); err == nil || !strings.Contains(err.Error(), noLedger) {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	s := Server{History: func(ledger.Query) (ledger.History, error) {
		return ledger.History{Incidents: []json.RawMessage{json.RawMessage(`"` + strings.Repeat("x", historyMost) + `"`)}}, nil
	}}
	if _, err := serve(t, &s).History(t.Context(), ledger.Query{}); err == nil {
		t.Error("all of it was read")
	}
}

// known is a server with one recording.
func known() *Server {
	return &Server{Recording: func(id string) ([]byte, error) {
		if id != "20260102T120000.000" {
			return nil, nil
		}
		return []byte(`{"schema":1}`), nil
	}}
}

func TestARecordingIsForRoot(t *testing.T) {
	c := serve(t, known())
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
		"a member of the group":         context.WithValue(t.Context(), peerKey{}, &unix.Ucred{Uid: 1000}),
		"nobody that the kernel names":  t.Context(),
		"somebody by another transport": withPeer(t.Context(), &net.TCPConn{}),
	} {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/recordings/20260102T120000.000", nil)
		r.SetPathValue("id", "20260102T120000.000")
		w := httptest.NewRecorder()
		known().recording(w, r)
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "schema") {
			t.Errorf("%s gets %d: %s", name, w.Code, w.Body)
		}
	}
}
