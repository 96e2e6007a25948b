package host

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// fakeServer speaks just enough of PostgreSQL's protocol.
type fakeServer struct {
	mu      sync.Mutex
	logins  []string // "user database application" of each
	heard   []string // statements, with the parameters of prepared ones
	refuse  *pgproto3.ErrorResponse
	answer  func(statement string) []pgproto3.BackendMessage // of a prepared one
	dropped atomic.Int32                                     // connections that ended
	conns   []net.Conn
}

const fakePort = 5499

// serve listens where Layout would say, and returns the directory.
func (s *fakeServer) serve(t *testing.T) *database {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5499"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go func() {
				defer s.dropped.Add(1)
				defer c.Close()
				s.talk(c)
			}()
		}
	}()
	d := &database{dial: func(ctx context.Context, name string) (*pgconn.PgConn, error) {
		return dialSocket(ctx, dir, fakePort, name)
	}}
	t.Cleanup(d.close)
	return d
}

func (s *fakeServer) talk(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	m, err := b.ReceiveStartupMessage()
	start, ok := m.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return // a request to cancel
	}
	s.mu.Lock()
	s.logins = append(s.logins, start.Parameters["user"]+" "+start.Parameters["database"]+" "+start.Parameters["application_name"])
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil {
		b.Send(refuse)
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	status, failed := byte('I'), false
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			s.hear(m.String)
			if status = 'T'; m.String == "rollback" {
				status = 'I'
			}
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		case *pgproto3.Parse:
			s.hear(m.Query)
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			for _, p := range m.Parameters {
				s.hear("$ " + string(p))
			}
			b.Send(&pgproto3.BindComplete{})
			for _, a := range s.answer(s.last()) {
				if e, ok := a.(*pgproto3.ErrorResponse); ok {
					failed, status = true, 'E'
					b.Send(e)
					break
				}
				b.Send(a)
			}
		case *pgproto3.Execute:
			if !failed {
				b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
			}
		case *pgproto3.Sync:
			failed = false
			b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		case *pgproto3.Terminate:
			return
		}
	}
}

func (s *fakeServer) hear(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, what)
}

// last is the last statement that was prepared.
func (s *fakeServer) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.heard) - 1; i >= 0; i-- {
		if !strings.HasPrefix(s.heard[i], "$ ") {
			return s.heard[i]
		}
	}
	return ""
}

func (s *fakeServer) loggedIn() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.logins...)
}
