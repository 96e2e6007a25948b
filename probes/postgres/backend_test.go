package postgres

import (
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const (
	sock = "/var/run/postgresql/.s.PGSQL.5432"
	v4   = "127.0.0.1:5432"
	v6   = "[::1]:5432"
)

type pgMessage = pgproto3.BackendMessage

// A backend is one made-up server: how it asks for a proof, and what it says to
// it.
type backend struct {
	ask   pgproto3.BackendMessage // its first message
	then  *pgproto3.ErrorResponse // after the client's answer; nil lets it in
	asked map[string]pgMessage

	mu  sync.Mutex
	saw []pgproto3.FrontendMessage // what the client sent after the start
}

func fatal(code, message, routine string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message, Routine: routine}
}

var (
	trust = &pgproto3.AuthenticationOk{}
	sasl  = &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}
	md5   = &pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}}
	clear = &pgproto3.AuthenticationCleartextPassword{}
)

func (b *backend) serve(c net.Conn) {
	back := pgproto3.NewBackend(c, c)
	start, err := back.ReceiveStartupMessage()
	if err != nil {
		return
	}
	ask := b.ask
	if s, ok := start.(*pgproto3.StartupMessage); ok && b.asked[s.Parameters["user"]] != nil {
		ask = b.asked[s.Parameters["user"]]
	}
	back.Send(ask)
	if _, ok := ask.(*pgproto3.AuthenticationOk); ok && b.then == nil {
		b.session(back)
		return
	}
	if back.Flush() != nil {
		return
	}
	switch ask.(type) {
	case *pgproto3.ErrorResponse:
		return
	case *pgproto3.AuthenticationSASL:
		_ = back.SetAuthType(pgproto3.AuthTypeSASL)
	case *pgproto3.AuthenticationMD5Password:
		_ = back.SetAuthType(pgproto3.AuthTypeMD5Password)
	case *pgproto3.AuthenticationCleartextPassword:
		_ = back.SetAuthType(pgproto3.AuthTypeCleartextPassword)
	}
	if _, ok := ask.(*pgproto3.AuthenticationOk); !ok {
		m, err := back.Receive()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.saw = append(b.saw, m)
		b.mu.Unlock()
	}
	if b.then != nil {
		back.Send(b.then)
		_ = back.Flush()
		return
	}
	back.Send(trust)
	b.session(back)
}

// session answers every query with nothing.
func (b *backend) session(back *pgproto3.Backend) {
	back.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for back.Flush() == nil {
		m, err := back.Receive()
		if err != nil {
			return
		}
		if _, ok := m.(*pgproto3.Query); ok {
			back.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
			back.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		}
	}
}

// on lets b serve an address.
func (b *backend) on(address string) hosttest.Option { return hosttest.Serve(address, b.serve) }

// listens says that postgres has these sockets.
func listens(addresses ...string) hosttest.Option {
	var l []host.Listener
	for _, a := range addresses {
		l = append(l, listener(a, 7, "postgres"))
	}
	return hosttest.Listeners(l...)
}
