package remedies_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

var updateEdge = flag.Bool("update-edge", false, "rewrite testdata/firewall/edge.nft")

var firewall = remedies.Firewall{Public: []uint16{443, 80, 443}}

// sshd is a daemon of root's on port 22 that does not say its configuration.
func sshd(m *hosttest.Machine) {
	hosttest.Dir("/proc/300")(m)
	hosttest.Listeners(host.Listener{Addr: netip.MustParseAddrPort("[::]:22"), Program: "sshd", PID: 300})(m)
}

// edgeHost is a host whose kernel has the rules that were loaded, and shows
// them as nft does as far as the remedy looks.
func edgeHost(opts ...hosttest.Option) *remedytest.Machine {
	m := remedytest.New(append([]hosttest.Option{sshd, hosttest.Dir("/etc/systemd/system")}, opts...)...)
	m.Handle("nft-check", func(c remedies.Command) ([]byte, error) {
		if !strings.Contains(string(c.Stdin), "policy drop") {
			return nil, errors.New("these are no rules")
		}
		return nil, nil
	})
	m.Handle("nft-load", func(c remedies.Command) ([]byte, error) {
		n := m.Get(c.Args[0])
		if n == nil {
			return nil, fmt.Errorf("no file %s", c.Args[0])
		}
		m.SetValue("nft", string(n.Data))
		return nil, nil
	})
	m.Handle("nft-delete-table", func(remedies.Command) ([]byte, error) {
		m.SetValue("nft", "")
		return nil, nil
	})
	m.Handle("nft-revert-in", func(c remedies.Command) ([]byte, error) {
		if m.Value("revert") != "" || m.Get(c.Args[1]) == nil {
			return nil, errors.New("there is such a timer already, or no such file")
		}
		m.SetValue("revert", strings.Join(c.Args, " "))
		return nil, nil
	})
	m.Handle("nft-revert-cancel", func(remedies.Command) ([]byte, error) {
		if m.Value("revert") == "" {
			return nil, errors.New("unit not loaded")
		}
		m.SetValue("revert", "")
		return nil, nil
	})
	m.Change(hosttest.Run("nft -j list ruleset", func(...string) ([]byte, error) { return listing(m.Value("nft")), nil }))
	return m
}

var (
	commented = regexp.MustCompile(`(?m) comment "(.*)"$`)
	elements  = regexp.MustCompile(`elements = \{ ([0-9, ]+) \}`)
)

// listing is what nft would list of a loaded text.
func listing(text string) []byte {
	objects := []any{}
	object := func(kind string, fields map[string]any) {
		fields["family"], fields["table"] = "inet", "watchdog_edge"
		objects = append(objects, map[string]any{kind: fields})
	}
	if text != "" {
		object("chain", map[string]any{"name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"})
		object("set", map[string]any{"name": "allowed_tcp", "elem": json.RawMessage("[" + elements.FindStringSubmatch(text)[1] + "]")})
	}
	for _, c := range commented.FindAllStringSubmatch(text, -1) {
		object("rule", map[string]any{"chain": "input", "comment": c[1], "expr": []any{}})
	}
	out, _ := json.Marshal(map[string]any{"nftables": objects})
	return out
}

// tested are the rules that were tried against a host, a router and a peer: what
// must pass passed, and nothing else did.
var tested = []string{
	`iifname "lo" accept`,
	`ct state vmap { established : accept, related : accept, invalid : drop }`,
	`ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, nd-redirect } accept`,
	`icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept`,
	`icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept`,
	`icmpv6 type echo-request limit rate 10/second burst 20 packets accept`,
	`udp sport 547 udp dport 546 ip6 saddr fe80::/10 accept`,
	`tcp dport @allowed_tcp ct state new accept`,
	`limit rate 5/minute burst 5 packets log prefix "edge drop: " level info`,
	`counter`,
}

// ruleLine is a line of the input chain, without its comment.
var ruleLine = regexp.MustCompile(`(?m)^    (.*) comment "[^"]*"$`)

func rulesOf(m *remedytest.Machine) []string {
	var rules []string
	for _, r := range ruleLine.FindAllStringSubmatch(content(m, remedies.FirewallFile), -1) {
		rules = append(rules, r[1])
	}
	return rules
}

func TestFirewallText(t *testing.T) {
	m := edgeHost()
	mend(t, firewall, m)
	golden := filepath.Join("testdata", "firewall", "edge.nft")
	if *updateEdge {
		if err := os.WriteFile(golden, []byte(content(m, remedies.FirewallFile)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	same(t, golden, string(want), content(m, remedies.FirewallFile))
	ssh := `tcp dport { 22 } ct state new accept`
	same(t, "rules", append(append(append([]string{}, tested[:7]...), ssh), tested[7:]...), rulesOf(m))
	if !strings.Contains(string(want), "# WARNING: ssh is open to everybody") {
		t.Error("ssh is open to everybody without a warning")
	}
}

func TestFirewallAdministration(t *testing.T) {
	admin := []netip.Prefix{netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:1::5/128")}
	tests := map[string]struct {
		opts  []hosttest.Option
		admin []netip.Prefix
		want  []string
	}{
		"no sshd":          {[]hosttest.Option{hosttest.Listeners()}, nil, nil},
		"no sshd, sources": {[]hosttest.Option{hosttest.Listeners()}, admin, nil},
		"sources of both kinds": {nil, admin, []string{
			`ip6 saddr { 2001:db8::/64, 2001:db8:1::5/128 } tcp dport { 22 } ct state new accept`,
			`ip saddr { 192.0.2.0/24 } tcp dport { 22 } ct state new accept`,
		}},
		"ports of sshd": {
			[]hosttest.Option{hosttest.Output("sshd -T", "listenaddress [::]:2200\n")},
			nil, []string{`tcp dport { 22, 2200 } ct state new accept`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := edgeHost(tt.opts...)
			mend(t, remedies.Firewall{Public: firewall.Public, Admin: tt.admin}, m)
			var got []string
			for _, r := range rulesOf(m) {
				if strings.Contains(r, "tcp dport {") {
					got = append(got, r)
				}
			}
			same(t, "rules of administration", tt.want, got)
		})
	}
}

// TestFirewallInForce sees the kernel's list as the real nft gave it.
func TestFirewallInForce(t *testing.T) {
	m := edgeHost()
	mend(t, firewall, m)
	intact := map[string]bool{"intact": true, "with-others": true, "loaded-twice": true}
	files, err := filepath.Glob("testdata/firewall/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("recorded lists: %d, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			list, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m.Change(hosttest.Output("nft -j list ruleset", string(list)))
			want := []string{"load the rules with nft -f " + remedies.FirewallFile}
			if intact[name] {
				want = nil
			}
			same(t, "plan", want, plan(t, firewall, m).Lines())
		})
	}
}

// TestFirewallLoads sees how: with a way back armed, and called off.
func TestFirewallLoads(t *testing.T) {
	m := edgeHost()
	same(t, "done", []string{
		"nft-check", "daemon-reload", "nft-revert-cancel", "nft-revert-in 60 /etc/watchdog/firewall-off.nft",
		"nft-load /etc/watchdog/firewall.nft", "nft-revert-cancel",
	}, mend(t, firewall, m))
	again(t, firewall, m)
	unit := content(m, "/etc/systemd/system/watchdog-firewall.service")
	for _, want := range []string{
		"ExecStart=/usr/sbin/nft -f /etc/watchdog/firewall.nft\n", "ExecStop=/usr/sbin/nft -f /etc/watchdog/firewall-off.nft\n",
		"Before=network-pre.target ", "After=local-fs.target nftables.service\n", "RemainAfterExit=yes\n",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	t.Run("the table gone, the file there", func(t *testing.T) {
		m.SetValue("nft", "")
		same(t, "lines", []string{"load the rules with nft -f " + remedies.FirewallFile}, plan(t, firewall, m).Lines())
		mend(t, firewall, m)
		again(t, firewall, m)
	})
	t.Run("the file changed, the table not", func(t *testing.T) {
		m.Change(hosttest.File(remedies.FirewallFile, "# mine\n"))
		same(t, "lines", []string{"change " + remedies.FirewallFile}, plan(t, firewall, m).Lines())
		mend(t, firewall, m)
	})
	t.Run("a timer that a killed run left", func(t *testing.T) {
		m.SetValue("nft", "")
		m.SetValue("revert", "60 /etc/watchdog/firewall-off.nft")
		mend(t, firewall, m)
		same(t, "timer", "", m.Value("revert"))
	})
}

// TestFirewallNotWhatWasLoaded: a kernel that has other rules afterwards is not
// trusted, and the way back stays armed or was gone.
func TestFirewallNotWhatWasLoaded(t *testing.T) {
	for name, loaded := range map[string]string{"nothing": "", "others": "elements = { 80 }\n    accept comment \"dropped at the edge, rules 00\"\n"} {
		t.Run(name, func(t *testing.T) {
			m := edgeHost()
			m.Handle("nft-load", func(remedies.Command) ([]byte, error) {
				m.SetValue("nft", loaded)
				return nil, nil
			})
			if _, err := tryMend(t, firewall, m); err == nil || !strings.Contains(err.Error(), "afterwards") {
				t.Errorf("applied with error %v", err)
			}
			same(t, "file", "(none)", content(m, remedies.FirewallFile))
			same(t, "table", "", m.Value("nft"))
		})
	}
}

// TestFirewallSuite: on a host without one, and on one whose site has changed.
func TestFirewallSuite(t *testing.T) {
	t.Run("none", func(t *testing.T) { remedytest.Suite(t, firewall, edgeHost()) })
	changed := edgeHost()
	mend(t, remedies.Firewall{Public: []uint16{80, 443, 8443}}, changed)
	t.Run("another", func(t *testing.T) { remedytest.Suite(t, firewall, changed) })
	flushed := edgeHost()
	mend(t, firewall, flushed)
	flushed.SetValue("nft", "")
	t.Run("flushed", func(t *testing.T) { remedytest.Suite(t, firewall, flushed) })
}

// TestFirewallBareHost: nft is not there yet, and that is no error.
func TestFirewallBareHost(t *testing.T) {
	m := remedytest.New(hosttest.Run("nft -j list ruleset", func(...string) ([]byte, error) {
		return nil, &host.CommandError{Command: "nft", Status: -1, Err: os.ErrNotExist}
	}))
	if lines := plan(t, firewall, m).Lines(); !strings.HasPrefix(lines[len(lines)-1], "load the rules") {
		t.Errorf("planned %q", lines)
	}
}
