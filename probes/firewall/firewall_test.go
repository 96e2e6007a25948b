package firewall

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchdog/probes/format/nftjson"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

var public = netip.MustParseAddr("2a02:8012:bc57:cafe::babe")

// listing is what nft printed for the rules of that name: see nftjson.
func listing(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../format/nftjson/testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRules(t *testing.T) {
	with := func(name string, opts ...hosttest.Option) []hosttest.Option {
		return append([]hosttest.Option{
			hosttest.Output("nft -j list ruleset", listing(t, name)),
			hosttest.Addresses(host.Address{Interface: "eth0", Prefix: netip.PrefixFrom(public, 64)}),
		}, opts...)
	}
	site := Rules{Public: public, Table: "watchdog_edge", Open: []uint16{443}, Allowed: []uint16{80, 443}}
	foreign := site
	foreign.Allowed = []uint16{80, 443, 22}
	ranges := foreign
	for p := uint16(80); p <= 443; p++ {
		ranges.Allowed = append(ranges.Allowed, p)
	}
	// As if iptables could do both families in one chain.
	both := strings.ReplaceAll(listing(t, "iptables"), `"family": "ip6"`, `"family": "inet"`)
	eth1 := hosttest.Addresses(host.Address{Interface: "eth1", Prefix: netip.PrefixFrom(public, 64)})
	probetest.Suite{
		Probe: site,
		Cases: map[string]probetest.Case{
			"our own":       {Host: with("watchdog")},
			"flushed":       {Host: with("empty"), Want: []string{"firewall.missing"}, Says: []string{"no chain filters it"}},
			"accepts all":   {Host: with("accept"), Want: []string{"firewall.missing"}, Says: []string{"policy accept of chain inet filter input"}},
			"ours, emptied": {Host: with("emptied"), Want: []string{"firewall.open-port all"}, Says: []string{"policy accept of chain inet watchdog_edge input", "IPv4", "IPv6"}},
			"ports opened": {
				Host: with("open"),
				Want: []string{"firewall.open-port 6000", "firewall.open-port 6001", "firewall.open-port 6009", "firewall.open-port 6010", "firewall.open-port 8080"},
				Says: []string{"of chain inet watchdog_edge input", "over IPv6", "over IPv4"},
			},
			"neighbours":          {Host: with("no-ndp"), Want: []string{"firewall.ndp-blocked"}, Says: []string{"policy drop of chain inet watchdog_edge input"}},
			"replies":             {Host: with("no-return"), Want: []string{"firewall.return-blocked"}, Says: []string{"a connection of this host's own"}},
			"path MTU":            {Host: with("no-mtu"), Want: []string{"firewall.return-blocked"}, Says: []string{"packet-too-big"}},
			"443 closed":          {Host: with("no-443"), Want: []string{"firewall.port-blocked 443"}},
			"80 closed":           {Host: with("no-80")}, // acme.port-80's to tell
			"IPv4 left open":      {Host: with("ip6only"), Want: []string{"firewall.open-port all"}, Says: []string{"over IPv4"}},
			"firewalld":           {Probe: ranges, Host: with("firewalld")},
			"its range":           {Probe: foreign, Host: with("firewalld"), Want: []string{"firewall.open-port 81", "firewall.open-port 442"}},
			"its other zone":      {Probe: ranges, Host: with("firewalld", eth1), Want: []string{"firewall.ndp-blocked", "firewall.port-blocked 443"}},
			"maps and flags":      {Probe: foreign, Host: with("maps"), Want: []string{"firewall.open-port 9100"}},
			"throttled by source": {Host: with("throttle")},
			"throttled by what we don't know": {
				Host: with("throttle", hosttest.Output("nft -j list ruleset", strings.Replace(listing(t, "throttle"), `{"limit": {"rate": 10, "burst": 5, "per": "second", "inv": true}}`, `{"xt": null}`, 1))),
				Err:  "a new connection to port 443: rule 7 of chain inet watchdog_edge input (set)",
			},
			"by ip6tables":     {Host: with("iptables"), Want: []string{"firewall.open-port all"}, Says: []string{"over IPv4"}},
			"by iptables":      {Host: with("watchdog", hosttest.Output("nft -j list ruleset", both)), Err: "rule 3 of chain inet filter INPUT (xt match conntrack)"},
			"nft can't":        {Host: []hosttest.Option{hosttest.Run("nft", func(...string) ([]byte, error) { return nil, errors.New("not root") })}, Err: "list the packet filter's rules: not root"},
			"nft says nothing": {Host: []hosttest.Option{hosttest.Output("nft", "")}, Err: "read nft's listing"},
			"no public name":   {Probe: Rules{}, Host: with("watchdog"), Err: "public IPv6 address is not known"},
		},
	}.Run(t)
}

// TestSSH holds that sshd's ports are open only where nobody was named to
// administer the host, and only those that remedy firewall keeps open.
func TestSSH(t *testing.T) {
	machine := []hosttest.Option{
		hosttest.Output("nft -j list ruleset", strings.Replace(listing(t, "watchdog"), `[80, 443]`, `[80, 443, 22, 2222]`, 1)),
		hosttest.Addresses(host.Address{Interface: "eth0", Prefix: netip.PrefixFrom(public, 64)}),
		hosttest.Dir("/proc/7"),
	}
	asks := Rules{Public: public, Table: "watchdog_edge", Open: []uint16{443}, Allowed: []uint16{80, 443}, SSH: true}
	closes := asks
	closes.SSH = false
	with := func(opts ...hosttest.Option) []hosttest.Option { return append(machine[:3:3], opts...) }
	listens := hosttest.Listeners(
		host.Listener{Addr: netip.MustParseAddrPort("[::]:2222"), PID: 7, Program: "sshd"},
		host.Listener{Addr: netip.MustParseAddrPort("[::]:8080"), PID: 8, Program: "java"})
	tests := map[string]struct {
		probe Rules
		opts  []hosttest.Option
		want  string
		err   string
	}{
		"listens on another port":   {asks, with(listens), "firewall.open-port 22", ""},
		"as it is set up":           {asks, with(hosttest.Output("sshd -T", "listenaddress [::]:2222\nlistenaddress 0.0.0.0:22\n")), "", ""},
		"no sshd":                   {asks, with(), "firewall.open-port 22,firewall.open-port 2222", ""},
		"for administrators, never": {closes, with(listens), "firewall.open-port 22,firewall.open-port 2222", ""},
		"can't be found out":        {asks, with(hosttest.Unreadable("/etc/ssh", errors.New("not root"))), "", "find the ports of administration"},
		"flushed, whatever sshd does": {asks, with(
			hosttest.Output("nft -j list ruleset", listing(t, "empty")), hosttest.Unreadable("/etc/ssh", errors.New("not root"))), "firewall.missing ", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := tt.probe.Observe(t.Context(), hosttest.New(tt.opts...))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			var got []string
			for _, f := range found {
				got = append(got, string(f.Code)+" "+f.Subject)
			}
			if strings.Join(got, ",") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestAdmits(t *testing.T) {
	tests := []struct {
		rules string
		port  uint16
		want  bool
		by    string
		err   string
	}{
		{"watchdog", 80, true, "of chain inet watchdog_edge input", ""},
		{"no-80", 80, false, "policy drop of chain inet watchdog_edge input", ""},
		{"empty", 80, true, "no chain filters it", ""},
		{"iptables", 443, true, "", ""}, // accepted whether or not the match holds
		{"iptables", 80, false, "", "xt match multiport"},
	}
	for _, tt := range tests {
		rs, err := nftjson.Parse([]byte(listing(t, tt.rules)))
		if err != nil {
			t.Fatal(err)
		}
		ok, by, err := Admits(rs, public, tt.port)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s, port %d: error %v, want one with %q", tt.rules, tt.port, err, tt.err)
			}
			continue
		}
		if err != nil || ok != tt.want || !strings.Contains(by, tt.by) {
			t.Errorf("%s, port %d: got %v by %q, error %v; want %v by %q", tt.rules, tt.port, ok, by, err, tt.want, tt.by)
		}
	}
}

// TestOrder holds that a packet meets prerouting before input.
func TestOrder(t *testing.T) {
	rs, err := nftjson.Parse([]byte(listing(t, "throttle")))
	if err != nil {
		t.Fatal(err)
	}
	if ok, by, err := Admits(rs, public, 9000); ok || err != nil || !strings.Contains(by, "of chain inet watchdog_edge raw") {
		t.Errorf("port 9000: accepted %v by %q, error %v; want it dropped in chain raw", ok, by, err)
	}
	var names []string
	rs, err = nftjson.Parse([]byte(listing(t, "firewalld")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range baseChains(rs, true) {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "mangle_PREROUTING filter_INPUT" {
		t.Errorf("chains %s; want mangle_PREROUTING filter_INPUT", got)
	}
}
