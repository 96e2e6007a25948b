package hosttest

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
)

// HTTP serves plain HTTP/1.1.
func HTTP(h http.Handler) func(net.Conn) {
	return func(c net.Conn) {
		l := &once{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- c
		s := &http.Server{Handler: h, ErrorLog: quiet, ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed || s == http.StateHijacked {
				l.Close()
			}
		}}
		// Serve ends when the one connection is closed: nothing else is accepted.
		_ = s.Serve(l)
	}
}

// HTTPS serves HTTP/1.1 over TLS.
func HTTPS(c *tls.Config, h http.Handler) func(net.Conn) {
	serve := HTTP(h)
	return func(raw net.Conn) { serve(tls.Server(raw, c)) }
}

// Hang accepts and never answers.
func Hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// Close accepts and closes at once.
func Close(net.Conn) {}

// Say reads the first bytes of the client, answers data, and closes.
func Say(data string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(c, data)
		}
	}
}

// once is a listener of one connection.
type once struct {
	conn   chan net.Conn
	closed chan struct{}
	close  sync.Once
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

func (l *once) Addr() net.Addr { return endpoint{"tcp6", "made up"} }
