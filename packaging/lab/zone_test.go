package lab

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// serveZone answers from a zone file on loopback, over one transport.
func serveZone(t *testing.T, network string, z Zone) (path string, ask func(name string, kind uint16) (*dns.Msg, error)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dns.json")
	if err := writeZone(path, z); err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{Handler: &zoneFile{path: path}}
	var addr string
	if network == "tcp" {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.Listener, addr = ln, ln.Addr().String()
	} else {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.PacketConn, addr = pc, pc.LocalAddr().String()
	}
	up := make(chan struct{})
	s.NotifyStartedFunc = func() { close(up) }
	go s.ActivateAndServe()
	<-up
	t.Cleanup(func() { s.Shutdown() })
	c := &dns.Client{Net: network, Timeout: 300 * time.Millisecond}
	return path, func(name string, kind uint16) (*dns.Msg, error) {
		m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, kind), addr)
		return m, err
	}
}

func TestZoneAnswers(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		_, ask := serveZone(t, network, initialZone())
		for _, c := range []struct {
			name   string
			kind   uint16
			rcode  int
			answer string
		}{
			{"idp." + Domain + ".", dns.TypeAAAA, dns.RcodeSuccess, "2a02:8012:bc57:cafe::babe"},
			{"IdP.BreathTechnology.co.uk.", dns.TypeAAAA, dns.RcodeSuccess, "2a02:8012:bc57:cafe::babe"},
			{"ollama." + Domain + ".", dns.TypeAAAA, dns.RcodeSuccess, "2a02:8012:bc57:c0d2::babe"},
			{"acme." + Domain + ".", dns.TypeAAAA, dns.RcodeSuccess, "fd00:53::80"},
			{"idp." + Domain + ".", dns.TypeA, dns.RcodeSuccess, ""},
			{Domain + ".", dns.TypeCAA, dns.RcodeSuccess, ""},
			{"nobody." + Domain + ".", dns.TypeAAAA, dns.RcodeNameError, ""},
			{"example.org.", dns.TypeAAAA, dns.RcodeRefused, ""},
			{"notbreathtechnology.co.uk.", dns.TypeAAAA, dns.RcodeRefused, ""},
		} {
			m, err := ask(c.name, c.kind)
			if err != nil {
				t.Fatalf("%s %s: %v", network, c.name, err)
			}
			got := ""
			if len(m.Answer) == 1 {
				got = m.Answer[0].(*dns.AAAA).AAAA.String()
			}
			if m.Rcode != c.rcode || got != c.answer || len(m.Answer) > 1 {
				t.Errorf("%s %s %s: %s %v, want %s %q", network, c.name, dns.TypeToString[c.kind],
					dns.RcodeToString[m.Rcode], m.Answer, dns.RcodeToString[c.rcode], c.answer)
			}
			if c.rcode == dns.RcodeSuccess && c.answer == "" && len(m.Ns) != 1 {
				t.Errorf("%s %s: no SOA with an empty answer", network, c.name)
			}
		}
	}
}

func TestZoneFileIsReadAgain(t *testing.T) {
	z := initialZone()
	path, ask := serveZone(t, "udp", z)
	idp := "idp." + Domain + "."
	change := func(f func()) {
		t.Helper()
		f()
		if err := writeZone(path, z); err != nil {
			t.Fatal(err)
		}
	}
	change(func() {
		if err := z.Set("idp", "a", []string{"192.0.2.1", "192.0.2.2"}); err != nil {
			t.Fatal(err)
		}
	})
	if m, err := ask(idp, dns.TypeA); err != nil || len(m.Answer) != 2 {
		t.Errorf("after set: %v, %v", m, err)
	}
	change(func() { z.Unset("idp", "A") })
	if m, err := ask(idp, dns.TypeA); err != nil || len(m.Answer) != 0 || m.Rcode != dns.RcodeSuccess {
		t.Errorf("after unset of the type: %v, %v", m, err)
	}
	change(func() { z.Unset("idp", "") })
	if m, err := ask(idp, dns.TypeAAAA); err != nil || m.Rcode != dns.RcodeNameError {
		t.Errorf("after unset of the name: %v, %v", m, err)
	}
	change(func() { z.Mode = DNSServFail })
	if m, err := ask("ollama."+Domain+".", dns.TypeAAAA); err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("servfail: %v, %v", m, err)
	}
	change(func() { z.Mode = DNSTimeout })
	if m, err := ask("ollama."+Domain+".", dns.TypeAAAA); err == nil {
		t.Errorf("timeout: answered %v", m)
	}
}

func TestZoneAliases(t *testing.T) {
	z := initialZone()
	for _, set := range [][3]string{{"www", "CNAME", "idp." + Domain}, {"round", "CNAME", "round." + Domain}} {
		if err := z.Set(set[0], set[1], set[2:]); err != nil {
			t.Fatal(err)
		}
	}
	m := z.Answer(new(dns.Msg).SetQuestion("www."+Domain+".", dns.TypeAAAA))
	if len(m.Answer) != 2 || m.Rcode != dns.RcodeSuccess {
		t.Errorf("alias: %v", m)
	}
	if m := z.Answer(new(dns.Msg).SetQuestion("round."+Domain+".", dns.TypeAAAA)); len(m.Answer) > 5 {
		t.Errorf("alias of itself: %d answers", len(m.Answer))
	}
}

func TestZoneRefuses(t *testing.T) {
	before := initialZone()
	z := initialZone()
	for _, c := range [][3]string{
		{"idp", "A", "nonsense"}, {"idp", "AAAA", "192.0.2.300"}, {"idp", "NOTYPE", "x"},
		{"example.org", "A", "192.0.2.1"}, {"idp", "A", "192.0.2.1\nidp 5 IN A 192.0.2.2"}, {"idp", "A", ""},
	} {
		if err := z.Set(c[0], c[1], c[2:]); err == nil {
			t.Errorf("set %q: no error", c)
		}
	}
	if d := cmp.Diff(before, z); d != "" {
		t.Errorf("a refused change changed the zone: %s", d)
	}
	if CheckDNSMode("normal") != nil || CheckDNSMode("off") == nil {
		t.Error("modes")
	}
}
