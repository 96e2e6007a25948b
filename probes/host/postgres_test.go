package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// row answers with one row of two columns, the second NULL.
func row(string) []pgproto3.BackendMessage {
	return []pgproto3.BackendMessage{
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a")}, {Name: []byte("b")}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte("keycloak"), nil}},
	}
}

func TestQuery(t *testing.T) {
	t.Setenv("PGAPPNAME", "planted")
	t.Setenv("PGUSER", "planted")
	t.Setenv("PGHOST", "/nowhere")
	s := &fakeServer{answer: row}
	d := s.serve(t)
	for range 2 {
		rows, err := d.Query(t.Context(), "postgres", "select a, b from t where c = $1 and d = $2", "x", 7)
		if diff := cmp.Diff([][]string{{"keycloak", ""}}, rows); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	once := []string{"begin transaction read only", "select a, b from t where c = $1 and d = $2", "$ x", "$ 7", "rollback"}
	if diff := cmp.Diff(append(once, once...), s.heard); diff != "" {
		t.Errorf("the server heard (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"postgres postgres watchdog"}, s.loggedIn()); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
	if _, err := d.Query(t.Context(), "postgres", "select $1", []int{1}); err == nil || !strings.Contains(err.Error(), "argument 1: type []int") {
		t.Errorf("an argument without text: %v", err)
	}
}

func TestQueryHoldsOnlyTheMaintenanceDatabase(t *testing.T) {
	s := &fakeServer{answer: row}
	d := s.serve(t)
	for range 2 {
		if _, err := d.Query(t.Context(), "keycloak", "select 1"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "both connections to end", func() bool { return s.dropped.Load() == 2 })
}

// Old enough, a held connection is not used again: only a login shows whether
// the server still takes any.
func TestQueryLogsInAnew(t *testing.T) {
	s := &fakeServer{answer: row}
	d := s.serve(t)
	for range 2 {
		if _, err := d.Query(t.Context(), "postgres", "select 1"); err != nil {
			t.Fatal(err)
		}
		old := d.take("postgres")
		old.since = old.since.Add(-heldFor)
		d.give("postgres", old)
	}
	if got := s.loggedIn(); len(got) != 2 {
		t.Errorf("logins %q, want 2", got)
	}
	waitFor(t, "both connections to end", func() bool { return s.dropped.Load() == 2 })
}

func TestQueryErrorStaysReachable(t *testing.T) {
	s := &fakeServer{answer: func(string) []pgproto3.BackendMessage {
		return []pgproto3.BackendMessage{&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42P01", Message: `relation "x" does not exist`}}
	}}
	d := s.serve(t)
	for range 2 {
		_, err := d.Query(t.Context(), "postgres", "select * from x")
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "42P01" || !strings.HasPrefix(err.Error(), "query database postgres: ") {
			t.Fatalf("got %v", err)
		}
	}
	if got := s.loggedIn(); len(got) != 1 {
		t.Errorf("an error of the statement cost the connection: logins %q", got)
	}
}

func TestQueryLoginRefused(t *testing.T) {
	s := &fakeServer{refuse: &pgproto3.ErrorResponse{Severity: "FATAL", Code: "53300", Message: "sorry, too many clients already"}}
	d := s.serve(t)
	_, err := d.Query(t.Context(), "postgres", "select 1")
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "53300" || !strings.Contains(err.Error(), "log in over ") || strings.Contains(err.Error(), "failed to") {
		t.Errorf("got %v", err)
	}
}

func TestQueryNobodyThere(t *testing.T) {
	dir := t.TempDir()
	d := &database{dial: func(ctx context.Context, name string) (*pgconn.PgConn, error) {
		return dialSocket(ctx, dir, fakePort, name)
	}}
	_, err := d.Query(t.Context(), "postgres", "select 1")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+"/.s.PGSQL.5499") || strings.Contains(err.Error(), "failed to") {
		t.Errorf("got %v, want no such file, the socket named", err)
	}
}

func TestQueryNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5499"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = dialSocket(ctx, dir, fakePort, "postgres")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v, want the deadline", err)
	}
}

// A held connection that the server ended meanwhile is replaced in silence.
func TestQueryAfterARestart(t *testing.T) {
	s := &fakeServer{answer: row}
	d := s.serve(t)
	if _, err := d.Query(t.Context(), "postgres", "select 1"); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.conns[0].Close()
	s.mu.Unlock()
	if _, err := d.Query(t.Context(), "postgres", "select 1"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if got := s.loggedIn(); len(got) != 2 {
		t.Errorf("logins %q, want 2", got)
	}
}

func TestQueryHangs(t *testing.T) {
	release := make(chan struct{})
	s := &fakeServer{answer: func(q string) []pgproto3.BackendMessage {
		if q == "hang" {
			<-release
		}
		return row(q)
	}}
	d := s.serve(t)
	defer close(release)
	if _, err := d.Query(t.Context(), "postgres", "select 1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	hung := make(chan error, 1)
	go func() { _, err := d.Query(ctx, "postgres", "hang"); hung <- err }()
	waitFor(t, "the statement to arrive", func() bool { return s.last() == "hang" })
	// The held connection is in use: another query makes its own.
	if _, err := d.Query(t.Context(), "postgres", "select 1"); err != nil {
		t.Errorf("beside one that hangs: %v", err)
	}
	if err := <-hung; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
