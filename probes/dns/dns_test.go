package dns

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const fqdn = "idp.breathtechnology.co.uk"

var public = netip.MustParseAddr("2a02:8012:bc57:cafe::babe")

// resolve serves one connection of a resolver: f changes each answer, which
// begins as an empty success.
func resolve(f func(q dns.Question, m *dns.Msg)) func(net.Conn) {
	return func(raw net.Conn) {
		c := &dns.Conn{Conn: raw}
		for {
			q, err := c.ReadMsg()
			if err != nil {
				return
			}
			m := new(dns.Msg).SetReply(q)
			f(q.Question[0], m)
			if err := c.WriteMsg(m); err != nil {
				return
			}
		}
	}
}

// zone answers with records of a zone file.
func zone(records ...string) func(net.Conn) {
	return resolve(func(q dns.Question, m *dns.Msg) {
		for _, r := range records {
			rr, err := dns.NewRR(r)
			if err != nil {
				panic(err)
			}
			if rr.Header().Rrtype == q.Qtype || rr.Header().Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
	})
}

func rcode(n int) func(net.Conn) {
	return resolve(func(_ dns.Question, m *dns.Msg) { m.Rcode = n })
}

func TestZone(t *testing.T) {
	const aaaa = fqdn + ". 300 IN AAAA 2a02:8012:bc57:cafe::babe"
	const one, two = "[2001:db8::53]:53", "192.0.2.53:53"
	conf := hosttest.File("/etc/resolv.conf", "# comment\nsearch example.org\nnameserver 2001:db8::53\noptions edns0\n")
	both := hosttest.File("/etc/resolv.conf", "nameserver 2001:db8::53\nnameserver 192.0.2.53\nnameserver nonsense\n")
	at := func(f func(net.Conn)) []hosttest.Option {
		return []hosttest.Option{conf, hosttest.Serve("udp6 "+one, f)}
	}
	// A resolver that loses the first datagram of each connection.
	lossy := func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			zone(aaaa)(c)
		}
	}
	// One whose answers come after somebody else's.
	guessed := func(raw net.Conn) {
		c := &dns.Conn{Conn: raw}
		q, err := c.ReadMsg()
		if err != nil {
			return
		}
		for _, id := range []uint16{q.Id + 1, q.Id} {
			m := new(dns.Msg).SetReply(q)
			m.Id = id
			rr, _ := dns.NewRR(aaaa)
			if id != q.Id {
				rr, _ = dns.NewRR(fqdn + ". IN AAAA 2001:db8::bad")
			}
			if q.Question[0].Qtype == dns.TypeAAAA {
				m.Answer = []dns.RR{rr}
			}
			_ = c.WriteMsg(m)
		}
	}
	// One that answers in full over TCP only.
	truncated := resolve(func(_ dns.Question, m *dns.Msg) { m.Truncated = true })
	// One that knows the root's servers, and has to be asked for others so often:
	// it takes as long as it takes to ask.
	fetching := func(times int) func(net.Conn) {
		return func(raw net.Conn) {
			c := &dns.Conn{Conn: raw}
			for n := 1; ; n++ {
				q, err := c.ReadMsg()
				if err != nil {
					return
				}
				if n < times && q.Question[0].Name != "." {
					continue
				}
				m := new(dns.Msg).SetReply(q)
				if rr, _ := dns.NewRR(aaaa); q.Question[0].Qtype == dns.TypeAAAA {
					m.Answer = []dns.RR{rr}
				}
				_ = c.WriteMsg(m)
			}
		}
	}
	slow := 3 * time.Second
	down := []string{"dns.resolver-down " + fqdn}
	probetest.Suite{
		Probe: Zone{Names: []Name{{fqdn, public}}},
		Cases: map[string]probetest.Case{
			"right":             {Host: at(zone(aaaa))},
			"by way of a CNAME": {Host: at(zone(fqdn+". IN CNAME host.example.org.", "host.example.org. IN AAAA "+public.String()))},
			"A record":          {Host: at(zone(aaaa, fqdn+". IN A 203.0.113.9")), Want: []string{"dns.a-present " + fqdn}, Says: []string{fqdn + ". A 203.0.113.9", "dig @2001:db8::53 " + fqdn + " A"}},
			"no AAAA record":    {Host: at(zone()), Want: []string{"dns.aaaa-missing " + fqdn}, Says: []string{"NODATA", fqdn + ". AAAA " + public.String()}},
			"no such name":      {Host: at(rcode(dns.RcodeNameError)), Want: []string{"dns.aaaa-missing " + fqdn}, Says: []string{"NXDOMAIN"}},
			"another AAAA":      {Host: at(zone(fqdn + ". IN AAAA 2001:db8::1")), Want: []string{"dns.aaaa-wrong " + fqdn}, Says: []string{fqdn + ". AAAA 2001:db8::1"}},
			"one AAAA too many": {Host: at(zone(aaaa, fqdn+". IN AAAA 2001:db8::1")), Want: []string{"dns.aaaa-wrong " + fqdn}},
			"SERVFAIL":          {Host: at(rcode(dns.RcodeServerFailure)), Want: down, Says: []string{"SERVFAIL"}},
			"REFUSED":           {Host: at(rcode(dns.RcodeRefused)), Want: down, Says: []string{"REFUSED"}},
			"nobody there":      {Host: []hosttest.Option{conf}, Want: down, Says: []string{"connection refused"}},
			"silence":           {Host: at(hosttest.Hang), Want: down, Says: []string{"no answer to anything within 1s"}, Deadline: slow},
			"slow, not dead":    {Host: at(fetching(4)), Deadline: slow},
			"too slow":          {Host: at(fetching(99)), Want: down, Says: []string{"it lives, but has no answer to this within 2s"}, Deadline: slow},
			"a lost datagram":   {Host: at(lossy), Deadline: slow},
			"somebody guesses":  {Host: at(guessed)},
			"too long for a datagram": {
				Host: append(at(truncated), hosttest.Serve("tcp6 "+one, zone(aaaa, fqdn+". IN A 203.0.113.9"))), Want: []string{"dns.a-present " + fqdn},
			},
			"one of two answers": {Host: []hosttest.Option{both, hosttest.Serve("udp4 "+two, zone(aaaa))}},
			"they differ": {
				Host: []hosttest.Option{both, hosttest.Serve(one, zone(aaaa)), hosttest.Serve(two, zone())},
				Want: []string{"dns.aaaa-missing " + fqdn}, Says: []string{"resolver 192.0.2.53"},
			},
			"A alone fails": {
				Host: at(resolve(func(q dns.Question, m *dns.Msg) {
					if q.Qtype == dns.TypeA {
						m.Rcode = dns.RcodeServerFailure
						return
					}
					rr, _ := dns.NewRR(aaaa)
					m.Answer = []dns.RR{rr}
				})), Err: "ask for A of",
			},
			"no resolver named": {Host: []hosttest.Option{hosttest.File("/etc/resolv.conf", ""), hosttest.Serve("udp4 127.0.0.1:53", zone(aaaa))}},
		},
	}.Run(t)
}

// TestSilenceCostsTheSameForAll holds that names and resolvers are asked at
// once.
func TestSilenceCostsTheSameForAll(t *testing.T) {
	var asked atomic.Int32
	hang := func(c net.Conn) { asked.Add(1); hosttest.Hang(c) }
	conf := "nameserver 2001:db8::1\nnameserver 2001:db8::2\nnameserver 2001:db8::3\nnameserver 2001:db8::4\n"
	opts := []hosttest.Option{hosttest.File("/etc/resolv.conf", conf)}
	for _, s := range []string{"1", "2", "3", "4"} {
		opts = append(opts, hosttest.Serve("[2001:db8::"+s+"]:53", hang))
	}
	start := time.Now()
	found, err := Zone{Names: []Name{{fqdn, public}, {"b." + fqdn, public}}}.Observe(t.Context(), hosttest.New(opts...))
	if err != nil || len(found) != 2 {
		t.Errorf("got %d findings, error %v; want resolver-down for both names", len(found), err)
	}
	if took := time.Since(start); took > silence+time.Second/2 {
		t.Errorf("took %s, with %s for each resolver", took, silence)
	}
	if n := asked.Load(); n != 15 { // two types of two names and one for life, at the first three
		t.Errorf("%d questions, want 15", n)
	}
}
