package host_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const public = "idp.example.org"

// certificate makes a certificate for a name and the pool that trusts it.
func certificate(name string) (*tls.Config, *x509.CertPool) {
	c := hosttest.Sign(x509.Certificate{DNSNames: []string{name}, IsCA: true}, nil)
	return c.Config(), c.Pool()
}

// counted serves f and counts its connections.
func counted(n *atomic.Int32, f func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) { n.Add(1); f(c) }
}

func get(t *testing.T, c *http.Client, url string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), nil
}

func TestHTTPClient(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://[::1]:1")
	t.Setenv("HTTP_PROXY", "http://[::1]:1")
	config, roots := certificate(public)
	var conns atomic.Int32
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "https://elsewhere.example.org/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Proto+" "+r.Host+" "+r.TLS.ServerName+" "+r.Header.Get("Accept-Encoding"))
	})
	h := hosttest.New(hosttest.Serve("tcp6 [::1]:8443", counted(&conns, hosttest.HTTPS(config, handler))))
	h.Roots = roots

	for _, tt := range []struct {
		conns host.Conns
		want  int32
	}{{host.Fresh, 3}, {host.Kept, 1}} {
		conns.Store(0)
		c := h.HTTPClient("[::1]:8443", public, tt.conns)
		for range 3 {
			_, body, err := get(t, c, "https://"+public+"/")
			if want := "HTTP/1.1 " + public + " " + public + " "; err != nil || body != want {
				t.Fatalf("got %q, %v; want %q", body, err, want)
			}
		}
		if got := conns.Load(); got != tt.want {
			t.Errorf("kept %v: %d connections for 3 requests, want %d", tt.conns, got, tt.want)
		}
		if h.HTTPClient("[::1]:8443", public, tt.conns) != c {
			t.Error("the same arguments gave another client")
		}
	}
	status, _, err := get(t, h.HTTPClient("[::1]:8443", public, host.Fresh), "https://"+public+"/away")
	if err != nil || status != http.StatusFound {
		t.Errorf("redirect: %d, %v; want 302 and no more", status, err)
	}
	h.Close()
}

func TestHTTPClientRefuses(t *testing.T) {
	config, roots := certificate(public)
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	long := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) })
	h := hosttest.New(
		hosttest.Serve("[::1]:8443", hosttest.HTTPS(config, ok)),
		hosttest.Serve("[::1]:9000", hosttest.HTTP(long)),
		hosttest.Serve("127.0.0.1:80", hosttest.HTTP(ok)),
	)
	h.Roots = roots
	tests := []struct{ name, dial, server, url, want string }{
		{"another name's certificate", "[::1]:8443", "other.example.org", "https://" + public, "valid for " + public},
		{"a name to dial", "localhost:8443", public, "https://" + public, "literal"},
		{"a name in the URL and nothing to dial", "", "", "https://" + public, "literal"},
		{"IPv4 in IPv6 clothes", "[::ffff:127.0.0.1]:80", "", "http://x", "literal IPv6"},
		{"an endless header", "[::1]:9000", "", "http://x", "exceeded"},
		{"nobody there", "[::1]:1", "", "http://x", "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := get(t, h.HTTPClient(tt.dial, tt.server, host.Fresh), tt.url); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if _, _, err := get(t, h.HTTPClient("127.0.0.1:80", "", host.Fresh), "http://x/"); err != nil {
		t.Errorf("IPv4 asked for as such: %v", err)
	}
	if _, _, err := get(t, h.HTTPClient("", "", host.Fresh), "http://127.0.0.1:80/"); err != nil {
		t.Errorf("a literal URL and nothing to dial: %v", err)
	}
}

// TestHTTPClientLeavesNothing holds that a dial and its handshake end with the
// request: the server sees the connection go.
func TestHTTPClientLeavesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		conns  host.Conns
		within time.Duration // of the request; none when zero
	}{
		"fresh": {host.Fresh, 50 * time.Millisecond}, "kept": {host.Kept, 50 * time.Millisecond}, "without deadline": {host.Kept, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan bool)
			h := hosttest.New(hosttest.Serve("[::1]:8443", func(c net.Conn) {
				hosttest.Hang(c)
				close(gone)
			}))
			ctx := t.Context()
			if tt.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.within)
				defer cancel()
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+public+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.HTTPClient("[::1]:8443", public, tt.conns).Do(req)
			if err == nil {
				resp.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want that time is over", err)
			}
			select {
			case <-gone:
			case <-time.After(2 * time.Second):
				t.Error("the connection is still there, and its request has ended")
			}
		})
	}
}
