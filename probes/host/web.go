package host

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Conns says what becomes of an HTTP client's connections.
type Conns bool

// A Fresh client makes a new connection, and so a new handshake, for each
// request; a Kept one uses its connections again, which costs a fifth.
const (
	Fresh Conns = false
	Kept  Conns = true
)

// idle is how long a kept connection waits for its next request. It is longer
// than the slowest probe's period.
const idle = 90 * time.Second

// maxHeader bounds the header of an answer, in bytes. Answers are hostile.
const maxHeader = 64 << 10

type webKey struct {
	dialTo, serverName string
	conns              Conns
}

// HTTPClient returns a client for one server. It dials dialTo, a literal
// address with port ("[::1]:8443"), whatever the URL says, in dialTo's family
// and no other; an empty dialTo means the URL's own address, which then must be
// literal too. With https it wants a certificate for serverName that the
// system (or [Host].Roots) trusts; an empty serverName is the URL's host.
//
// It speaks HTTP/1.1, knows no proxy, follows no redirect and gives the body as
// it came. It has no time-out but the request's context, with which dialling
// and the handshake end too; where that has no deadline, either may take three
// seconds. The same arguments give the same client.
func (h *Host) HTTPClient(dialTo, serverName string, conns Conns) *http.Client {
	key := webKey{dialTo, serverName, conns}
	h.web.Lock()
	defer h.web.Unlock()
	if c, ok := h.clients[key]; ok {
		return c
	}
	d := webDialer{net: h.Net, dialTo: dialTo, tls: &tls.Config{
		ServerName: serverName,
		RootCAs:    h.Roots,
		NextProtos: []string{"http/1.1"},
		// Go's hybrid key exchange costs a prober 14 % more.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
	}}
	c := &http.Client{
		Transport: tied{&http.Transport{
			DialContext:            d.dial,
			DialTLSContext:         d.dialTLS,
			Protocols:              http1(),
			DisableKeepAlives:      conns == Fresh,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        idle,
			MaxResponseHeaderBytes: maxHeader,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if h.clients == nil {
		h.clients = map[webKey]*http.Client{}
	}
	h.clients[key] = c
	return c
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}
