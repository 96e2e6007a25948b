package host

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// A webDialer makes the connections of one HTTP client.
type webDialer struct {
	net    Net
	dialTo string // empty: the URL's own address
	tls    *tls.Config
}

// dial connects to the client's address, whatever the URL says.
func (d webDialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := untilRequest(ctx)
	defer cancel()
	if d.dialTo != "" {
		address = d.dialTo
	}
	network, err := family(address)
	if err != nil {
		return nil, err
	}
	return d.net.Dial(ctx, network, address)
}

// dialTime bounds connecting, and the handshake, of a request that has no
// deadline.
const dialTime = 3 * time.Second

// dialTLS connects and does the handshake, whose errors are returned as they
// are: net/http and the probes know them by their types.
func (d webDialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	config := d.tls.Clone()
	if config.ServerName == "" {
		name, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
		config.ServerName = name
	}
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := untilRequest(ctx)
	defer cancel()
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// tied is a transport whose dials and handshakes end with the request that they
// are for. net/http detaches them from it, in the hope that a later request can
// use the connection: each look at a server that accepts and hangs would leave
// a goroutine and a connection behind, for ever.
type tied struct{ *http.Transport }

// requestKey is where a request's context keeps itself: values are what net/http
// leaves a dial of it.
type requestKey struct{}

// RoundTrip implements [http.RoundTripper].
func (t tied) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	return t.Transport.RoundTrip(req.WithContext(context.WithValue(ctx, requestKey{}, ctx)))
}

// untilRequest returns the context of a dial that ends with its request as well,
// and after dialTime where that has no deadline. A deadline of the request's is
// left to it, so that what the caller sees is always that one's error.
func untilRequest(ctx context.Context) (context.Context, context.CancelFunc) {
	request, ok := ctx.Value(requestKey{}).(context.Context)
	if !ok {
		request = ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(request, cancel)
	timeout := context.CancelFunc(func() {})
	if _, bounded := request.Deadline(); !bounded {
		ctx, timeout = context.WithTimeout(ctx, dialTime)
	}
	return ctx, func() {
		stop()
		timeout()
		cancel()
	}
}

// family is the TCP network of a literal address: "tcp6" or "tcp4".
func family(address string) (string, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", fmt.Errorf("dial %s: want a literal address with port", address)
	}
	if a.Addr().Is4() {
		return "tcp4", nil
	}
	return "tcp6", nil
}
