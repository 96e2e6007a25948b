package system

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"watchdog/probes/host"
)

const (
	// resolving is how long a name may take: a resolver that is dead has a fault
	// of its own.
	resolving = time.Second
	// maxHead bounds an answer's head, in bytes.
	maxHead = 64 << 10
)

// A clockSource is one who sends a Date.
type clockSource struct {
	url  *url.URL
	addr netip.Addr // where its host is; not valid: to be resolved
}

func (s clockSource) String() string { return s.url.String() }

// sources lists whom to ask.
func (p Clock) sources() ([]clockSource, error) {
	var out []clockSource
	for _, peer := range p.Peers {
		for _, scheme := range []string{"https", "http"} {
			out = append(out, clockSource{&url.URL{Scheme: scheme, Host: peer.FQDN, Path: "/"}, peer.Addr})
		}
	}
	if p.ACME != "" {
		u, err := url.Parse(p.ACME)
		if err != nil {
			return nil, fmt.Errorf("read the authority's address: %w", err)
		}
		out = append(out, clockSource{url: u})
	}
	if len(out) == 0 {
		return nil, errors.New("compare the clock: there is no other host and no authority")
	}
	return out, nil
}

// read asks for the Date, which is cut to the second, and holds the clock against
// it.
func (s clockSource) read(ctx context.Context, h *host.Host) reading {
	asked := wallClock(h)
	date, err := s.date(ctx, h)
	if err != nil {
		return reading{source: s, err: err}
	}
	now := wallClock(h)
	return reading{source: s, ahead: asked.Add(now.Sub(asked) / 2).Sub(date.Add(time.Second / 2))}
}

func (s clockSource) date(ctx context.Context, h *host.Host) (time.Time, error) {
	conn, err := s.dial(ctx, h)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	// Closing is what ends a read that nobody answers.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.url.String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return time.Time{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHead)), req)
	if err != nil {
		return time.Time{}, err
	}
	resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errors.New("it sends no Date")
	}
	if age, err := strconv.Atoi(resp.Header.Get("Age")); err == nil && age > 0 { // kept by somebody on the way
		date = date.Add(time.Duration(age) * time.Second)
	}
	return date, nil
}

// dial connects to the source. Its certificate is held to its name and its
// issuers, at a time when it was good: which time it is now is the question.
func (s clockSource) dial(ctx context.Context, h *host.Host) (net.Conn, error) {
	addr, err := s.resolve(ctx, h)
	if err != nil {
		return nil, err
	}
	port := map[string]string{"http": "80", "https": "443"}[s.url.Scheme]
	if given := s.url.Port(); given != "" {
		port = given
	}
	raw, err := h.Net.Dial(ctx, "tcp6", net.JoinHostPort(addr.String(), port))
	if err != nil || s.url.Scheme != "https" {
		return raw, err
	}
	conn := tls.Client(raw, &tls.Config{
		ServerName: s.url.Hostname(), NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: true, // replaced by what follows
		VerifyConnection: func(c tls.ConnectionState) error {
			leaf, between := c.PeerCertificates[0], x509.NewCertPool()
			for _, cert := range c.PeerCertificates[1:] {
				between.AddCert(cert)
			}
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: c.ServerName, Roots: h.Roots, Intermediates: between, CurrentTime: leaf.NotBefore})
			return err
		},
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// resolve finds the source's IPv6 address as every program here does.
func (s clockSource) resolve(ctx context.Context, h *host.Host) (netip.Addr, error) {
	if s.addr.IsValid() {
		return s.addr, nil
	}
	name := s.url.Hostname()
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr, nil
	}
	limit, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	addrs, err := answers(limit, h, name)
	for _, a := range addrs {
		if a.Is6() && !a.Is4In6() {
			return a, nil
		}
	}
	switch {
	case limit.Err() != nil:
		return netip.Addr{}, fmt.Errorf("resolve %s: no answer within %s", name, resolving)
	case err != nil:
		return netip.Addr{}, fmt.Errorf("resolve %s: %w", name, err)
	}
	return netip.Addr{}, fmt.Errorf("resolve %s: it has no IPv6 address", name)
}
