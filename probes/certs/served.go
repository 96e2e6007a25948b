package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/certchain"
	"watchdog/probes/host"
)

// The codes of [Served] alone.
const (
	PlainHTTP   probes.Code = "tls.plain-http"
	ServedStale probes.Code = "cert.served-stale"
)

// Served is the probe cert.served: what a client gets shown. One handshake
// gives all its findings.
type Served struct {
	Address string // the listener, "[::1]:8443"
	Service string // whose it is: "keycloak", the subject of [PlainHTTP]
	Name    string // asked for by SNI
	// File is the chain that the server reads, and Lineage the one that
	// [Lineage] watches. Of what is the lineage's own certificate, name and
	// end are that probe's to tell.
	File, Lineage string
	RenewBefore   time.Duration // as in [Lineage]
	// Grace is how long the server may take to read a new file; zero means a
	// minute, twice what Keycloak takes.
	Grace time.Duration
}

// Spec implements [probes.Probe].
func (p Served) Spec() probes.Spec {
	return probes.Spec{
		ID:      "cert.served",
		Summary: "the certificate that " + p.Address + " shows for " + p.Name,
		Codes:   []probes.Code{PlainHTTP, ServedStale, NameMismatch, Expiring, KeyMismatch},
		Every:   10 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: p.File}},
	}
}

// Observe implements [probes.Probe]. A listener that refuses, closes or hangs
// shows no certificate: other probes tell of that.
func (p Served) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	leaf, err := p.handshake(ctx, h)
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header) && bytes.HasPrefix(header.RecordHeader[:], []byte("HTTP/")):
		found := p.find(nil, PlainHTTP, p.Address+" speaks plain HTTP where TLS is expected", "a TLS handshake", "an answer that begins with HTTP/")
		found[0].Subject = p.Service
		return found, nil
	case leaf != nil && err != nil && strings.Contains(err.Error(), "invalid signature by the server certificate"):
		// Go has no type for it; see crypto/tls, processServerKeyExchange and
		// readServerCertificate.
		return p.find(nil, KeyMismatch, p.Address+" serves a certificate without having its key", "a handshake signed by the certificate's key", probes.Clip(err.Error())), nil
	case err != nil:
		return nil, fmt.Errorf("look at the certificate of %s: %w", p.Address, err)
	}
	var found []probes.Finding
	should, read, err := p.file(h)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the server's certificate: %w", err)
	case should == nil, should.Equal(leaf):
	case !read:
		// Whatever is wrong with this one, the next lies ready.
		return nil, nil
	default:
		found = p.find(found, ServedStale, p.Address+" serves another certificate than the one in "+p.File, serial(should), serial(leaf))
	}
	if known, err := readChain(h, p.Lineage); err == nil && known[0].Equal(leaf) {
		return found, nil
	}
	if leaf.VerifyHostname(p.Name) != nil {
		found = p.find(found, NameMismatch, p.Address+" serves a certificate that is not for "+p.Name, p.Name, named(leaf))
	}
	if want, got := expiring(leaf, h.Now(), p.RenewBefore); want != "" {
		found = p.find(found, Expiring, "the certificate that "+p.Address+" serves "+got, want, got)
	}
	return found, nil
}

func (p Served) find(found []probes.Finding, code probes.Code, summary, want, got string) []probes.Finding {
	return append(found, probes.Finding{Code: code, Subject: p.Address, Summary: summary, Evidence: []probes.Evidence{{
		Source: p.Address, Want: want, Got: got,
		Command: "openssl s_client -connect " + p.Address + " -servername " + p.Name + " </dev/null | openssl x509 -noout -text",
	}}})
}

// file returns the certificate that the server is to show, and whether it has
// had the time to read it; nil when there is none, which is for other probes to
// tell.
func (p Served) file(h *host.Host) (should *x509.Certificate, read bool, err error) {
	chain, err := readChain(h, p.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, certchain.ErrNone) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	n, err := h.FS.Node(p.File)
	if err != nil || n == nil {
		return nil, false, err
	}
	grace := p.Grace
	if grace == 0 {
		grace = time.Minute
	}
	return chain[0], h.Now().Sub(n.ModTime) >= grace, nil
}

// handshake returns the certificate that is shown, even where the handshake
// fails after it.
func (p Served) handshake(ctx context.Context, h *host.Host) (*x509.Certificate, error) {
	network := "tcp6"
	if at, err := netip.ParseAddrPort(p.Address); err == nil && at.Addr().Is4() {
		network = "tcp4"
	}
	conn, err := h.Net.Dial(ctx, network, p.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var leaf *x509.Certificate
	c := tls.Client(conn, &tls.Config{
		ServerName: p.Name,
		// What is wrong with the certificate is judged here, all of it; the
		// verifier would stop at the first fault. Nothing is sent over this
		// connection.
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) (err error) {
			leaf, err = x509.ParseCertificate(raw[0])
			return err
		},
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
	})
	err = c.HandshakeContext(ctx)
	return leaf, err
}
