package system

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const (
	homer     = "[2001:db8::2]:80"
	directory = "https://acme.example.org:14000/dir"
)

// dated answers with a Date that is so far from the made-up host's clock.
func dated(off time.Duration, more string) hosttest.Option {
	date := hosttest.Noon.Add(off).Format(http.TimeFormat)
	return hosttest.Serve(homer, hosttest.Say(fmt.Sprintf("HTTP/1.1 301 Moved Permanently\r\nDate: %s\r\n%sConnection: close\r\n\r\n", date, more)))
}

func TestClock(t *testing.T) {
	peer := Peer{FQDN: "homer.example.org", Addr: netip.MustParseAddr("2001:db8::2")}
	skew := []string{"host.clock-skew"}
	synced := func(word string) hosttest.Option {
		return hosttest.Output("timedatectl show", "NTP=yes\nNTPSynchronized="+word+"\nTimeUSec=x\n")
	}
	other := Peer{FQDN: "other.example.org", Addr: netip.MustParseAddr("2001:db8::3")}
	at := func(off time.Duration) hosttest.Option {
		return hosttest.Serve("[2001:db8::3]:80", hosttest.Say("HTTP/1.1 200 OK\r\nDate: "+hosttest.Noon.Add(off).Format(http.TimeFormat)+"\r\n\r\n"))
	}
	two := Clock{Peers: []Peer{peer, other}}
	probetest.Suite{
		Probe: Clock{Peers: []Peer{peer}, ACME: directory},
		Cases: map[string]probetest.Case{
			"right":       {Host: []hosttest.Option{dated(0, "")}},
			"near enough": {Host: []hosttest.Option{dated(-58*time.Second, "")}},
			"ahead": {
				Host: []hosttest.Option{dated(-2*time.Hour, "")}, Want: skew,
				Says: []string{"this host's clock is 2h0m0s ahead", "http://homer.example.org/", "none is installed; nothing has synchronised the clock"},
			},
			"behind": {Host: []hosttest.Option{dated(90*time.Second, "")}, Want: skew, Says: []string{"1m30s behind"}},
			"a time service": {
				Host: []hosttest.Option{dated(time.Hour, ""), hosttest.Unit("chrony.service", host.Stopped), synced("no")}, Want: skew,
				Says: []string{"chrony.service is stopped; nothing has synchronised the clock"},
			},
			"set to a wrong clock": {
				Host: []hosttest.Option{dated(time.Hour, ""), hosttest.Unit("systemd-timesyncd.service", host.Running), synced("yes")}, Want: skew,
				Says: []string{"systemd-timesyncd.service is running; the clock counts as synchronised"},
			},
			"kept on the way":        {Host: []hosttest.Option{dated(-time.Hour, "Age: 3600\r\n")}},
			"one clears it":          {Probe: two, Host: []hosttest.Option{dated(-time.Hour, ""), at(0)}},
			"both say so":            {Probe: two, Host: []hosttest.Option{dated(-time.Hour, ""), at(-2 * time.Hour)}, Want: skew, Says: []string{"clock is 1h0m0s ahead", "2h0m0s ahead"}},
			"they contradict":        {Probe: two, Host: []hosttest.Option{dated(-time.Hour, ""), at(2 * time.Hour)}, Err: "others disagree"},
			"no Date":                {Host: []hosttest.Option{hosttest.Serve(homer, hosttest.Say("HTTP/1.1 200 OK\r\n\r\n"))}, Err: "it sends no Date"},
			"no HTTP":                {Host: []hosttest.Option{hosttest.Serve(homer, hosttest.Say("SSH-2.0-OpenSSH_9.2\r\n"))}, Err: "malformed HTTP"},
			"endless":                {Host: []hosttest.Option{hosttest.Serve(homer, hosttest.Say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 70<<10)))}, Err: "http://homer.example.org/"},
			"silence":                {Host: []hosttest.Option{hosttest.Serve(homer, hosttest.Hang)}, Err: "compare the clock: no time service says"},
			"nobody, synchronised":   {Host: []hosttest.Option{synced("yes")}},
			"nobody, unsynchronised": {Host: []hosttest.Option{synced("no")}, Err: "no time service says"},
			"nobody to ask":          {Probe: Clock{}, Err: "there is no other host"},
		},
	}.Run(t)
}

// TestClockAtTheAuthority: whose certificate has ended by this host's clock is
// believed, and a stranger is not.
func TestClockAtTheAuthority(t *testing.T) {
	ca := hosttest.Sign(x509.Certificate{IsCA: true}, nil)
	at := hosttest.Noon.AddDate(-1, 0, 0) // what the rest of the world says
	sign := func(name string, by *hosttest.Certificate) *tls.Config {
		return hosttest.Sign(x509.Certificate{DNSNames: []string{name}, NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(0, 3, 0)}, by).Config()
	}
	for name, tt := range map[string]struct {
		config *tls.Config
		answer string
		want   string
	}{
		"ours":           {sign("acme.example.org", ca), "2001:db8::4      STREAM acme.example.org\n", "8760h0m0s ahead"},
		"another name":   {sign("evil.example.org", ca), "2001:db8::4      STREAM\n", "valid for evil.example.org"},
		"another issuer": {sign("acme.example.org", hosttest.Sign(x509.Certificate{IsCA: true}, nil)), "2001:db8::4      STREAM\n", "unknown authority"},
		"by IPv4 only":   {sign("acme.example.org", ca), "192.0.2.4        STREAM\n", "it has no IPv6 address"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(
				hosttest.Output("getent ahosts acme.example.org", tt.answer),
				hosttest.Serve("[2001:db8::4]:14000", hosttest.HTTPS(tt.config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", at.Format(http.TimeFormat))
				}))),
			)
			h.Roots = ca.Pool()
			found, err := Clock{ACME: directory}.Observe(t.Context(), h)
			got := fmt.Sprint(err)
			if len(found) > 0 {
				got = found[0].Summary
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestClockWithoutNames: a dead resolver costs a second and no finding.
func TestClockWithoutNames(t *testing.T) {
	h := hosttest.New(hosttest.Run("getent ahosts acme.example.org", func(...string) ([]byte, error) {
		return nil, errors.New("exit status 2")
	}))
	if found, err := (Clock{ACME: directory}).Observe(t.Context(), h); err == nil || len(found) > 0 || !strings.Contains(err.Error(), "resolve acme.example.org") {
		t.Errorf("found %v, error %v; want only that the name does not resolve", found, err)
	}
}
