package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A question is sent again every resend. A resolver that has answered nothing at
// all within silence counts as dead; one that lives may take patience for what
// it has to fetch from elsewhere. The C library waits five seconds, and then
// people wait with it.
const (
	resend   = 400 * time.Millisecond
	silence  = time.Second
	patience = 2 * time.Second
)

// ednsSize is the largest datagram wanted, in bytes (DNS Flag Day 2020).
const ednsSize = 1232

// An answer is what one resolver said to one question.
type answer struct {
	server netip.Addr
	rcode  int // dns.RcodeSuccess without addrs is NODATA
	addrs  []netip.Addr
	// err says that it did not answer, or would not.
	err error
}

// String puts it into words, records as they stand in a zone file.
func (a answer) String(name, rtype string) string {
	switch {
	case a.err != nil:
		return probes.Clip(a.err.Error())
	case a.rcode == dns.RcodeNameError:
		return "NXDOMAIN: the name does not exist"
	case len(a.addrs) == 0:
		return "NODATA: the name exists, without such a record"
	}
	var records []string
	for _, addr := range a.addrs {
		records = append(records, name+". "+rtype+" "+addr.String())
	}
	return probes.Clip(strings.Join(records, "; "))
}

// A resolver is one server of /etc/resolv.conf during one look.
type resolver struct {
	addr  netip.Addr
	alive atomic.Bool // it has answered something
}

// errSilent says that a resolver has answered nothing at all.
var errSilent = fmt.Errorf("no answer to anything within %s", silence)

// pulse asks for the root's name servers, which every resolver has at hand: the
// answer, whatever it says, tells a slow resolver from a dead one.
func (s *resolver) pulse(ctx context.Context, h *host.Host) { s.ask(ctx, h, ".", dns.TypeNS) }

// ask puts one question to a resolver, over TCP too when the answer does not fit
// a datagram.
func (s *resolver) ask(ctx context.Context, h *host.Host, name string, rtype uint16) answer {
	a := answer{server: s.addr}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it lives, but has no answer to this within %s", patience))
	defer cancel()
	ctx, dead := context.WithCancelCause(ctx)
	defer time.AfterFunc(silence, func() {
		if !s.alive.Load() {
			dead(errSilent)
		}
	}).Stop()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), rtype)
	m.SetEdns0(ednsSize, false)
	r, err := exchange(ctx, h, "udp", s.addr, m)
	if err == nil && r.Truncated {
		s.alive.Store(true)
		r, err = exchange(ctx, h, "tcp", s.addr, m)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		a.err = context.Cause(ctx)
		return a
	case err != nil:
		a.err = err
		return a
	}
	s.alive.Store(true)
	a.rcode = r.Rcode
	if r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
		a.err = fmt.Errorf("it answers %s", dns.RcodeToString[r.Rcode])
		return a
	}
	for _, rr := range r.Answer {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.AAAA:
			ip = rr.AAAA
		case *dns.A:
			ip = rr.A
		}
		addr, ok := netip.AddrFromSlice(ip)
		if !ok || rr.Header().Rrtype != rtype {
			continue // a CNAME on the way
		}
		if rtype == dns.TypeA {
			addr = addr.Unmap()
		}
		a.addrs = append(a.addrs, addr)
	}
	return a
}

// exchange sends m and waits for its answer until ctx ends.
func exchange(ctx context.Context, h *host.Host, transport string, server netip.Addr, m *dns.Msg) (*dns.Msg, error) {
	network := transport + "6"
	if server.Is4() {
		network = transport + "4"
	}
	raw, err := h.Net.Dial(ctx, network, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	// Closing is what ends a read that nobody answers.
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := &dns.Conn{Conn: raw, UDPSize: ednsSize}
	packed, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack the question: %w", err)
	}
	// Write frames the message as the transport wants it.
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	if transport == "udp" {
		ctx, answered := context.WithCancel(ctx)
		defer answered()
		go every(ctx, resend, func() { _, _ = conn.Write(packed) })
	}
	for {
		r, err := conn.ReadMsg()
		if err != nil {
			return nil, err
		}
		// Whatever else comes is a late answer or somebody's guess.
		if r.Id == m.Id && r.Response && len(r.Question) == 1 && strings.EqualFold(r.Question[0].Name, m.Question[0].Name) && r.Question[0].Qtype == m.Question[0].Qtype {
			return r, nil
		}
	}
}

// every calls f after each d until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}
