package nginx

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// An Edge connects to the public port as a client does, begins a TLS handshake,
// and leaves when the first bytes of an answer come: it asks whether somebody is
// behind the port, not who. A port that only accepts tells nothing: NGINX does so
// with a dead Keycloak behind it.
type Edge struct {
	Address string // "[2001:db8::1]:443"
	Name    string // the public name, for the handshake
}

// Spec implements [probes.Probe].
func (e Edge) Spec() probes.Spec {
	return probes.Spec{
		ID:      "edge.443",
		Summary: "the public port accepts and somebody behind it answers",
		Codes:   []probes.Code{EdgeRefused, EdgeHung, EdgeClosed},
		Every:   5 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "nginx"}, {Kind: probes.WakeUnit, Name: "keycloak"}},
	}
}

// Observe implements [probes.Probe]. Bytes that are no TLS are an answer too:
// what they mean is for the issuer's probe to say.
func (e Edge) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	raw, err := h.Net.Dial(within, "tcp6", e.Address)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
	case probes.Late(err):
		return e.found(EdgeHung, "the public port does not take connections", "no answer to the connection in time"), nil
	case probes.Unreachable(err):
		return e.found(EdgeRefused, "the public port refuses connections", probes.Clip(err.Error())), nil
	default:
		return nil, err
	}
	defer raw.Close()
	conn := &firstBytes{Conn: raw}
	// The handshake never gets as far as a certificate: there is none to check.
	err = tls.Client(conn, &tls.Config{ServerName: e.Name, InsecureSkipVerify: true}).HandshakeContext(within)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case conn.came:
		return nil, nil
	case probes.Late(err):
		return e.found(EdgeHung, "the public port accepts and nobody answers", "accepts, no answer to the handshake in time"), nil
	}
	return e.found(EdgeClosed, "the public port accepts and closes at once", "accepts, then: "+probes.Ending(err)), nil
}

// firstBytes ends a handshake when the first bytes of the server are there: the
// rest would cost a signature's check every five seconds and tell nothing more.
type firstBytes struct {
	net.Conn
	came bool
}

func (c *firstBytes) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.came = true
		return 0, io.EOF
	}
	return 0, err
}

func (e Edge) found(code probes.Code, summary, got string) []probes.Finding {
	return []probes.Finding{{Code: code, Subject: "", Summary: summary, Evidence: []probes.Evidence{{
		Source: e.Address, Want: "an answer to a TLS handshake for " + e.Name, Got: got,
		Command: "openssl s_client -brief -connect '" + e.Address + "' -servername " + e.Name + " </dev/null",
	}}}}
}
