package main

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"watchdog/rules"
)

var update = flag.Bool("update", false, "write golden files anew")

// testBook is a book of one code for each mode.
var testBook = siteBook{
	"service.dead":              rules.Auto,
	"postgres.database-missing": rules.Ask,
	"host.clock-skew":           rules.Observe,
}

func siteFiles(t testing.TB, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/site/" + pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return names
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mustStack parses a good site.
func mustStack(t *testing.T, text string) rules.Stack {
	t.Helper()
	f, d := parseSite("site.yaml", []byte(text), testBook)
	if err := d.err(); err != nil {
		t.Fatalf("%s\n%s", err, text)
	}
	return f.stack([]byte(text))
}

// TestBadSites holds what each broken file says against bad-NAME.txt.
func TestBadSites(t *testing.T) {
	names := siteFiles(t, "bad-*.yaml")
	if len(names) < 20 {
		t.Errorf("%d broken files, want 20 or more", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, d := parseSite("site.yaml", readFile(t, name), testBook)
			err := d.err()
			if err == nil {
				t.Fatal("was accepted")
			}
			if codeOf(err) != exitUsage {
				t.Errorf("exit code %d, want %d", codeOf(err), exitUsage)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("prints a secret:\n%s", err)
			}
			got, golden := err.Error()+"\n", strings.TrimSuffix(name, ".yaml")+".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(readFile(t, golden)), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestGoodSites reads whole sites, and reads again what show prints of them.
func TestGoodSites(t *testing.T) {
	starter, err := starterText("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	sites := map[string]string{"smallest": smallest, "starter": string(starter)}
	for _, name := range siteFiles(t, "good-*.yaml") {
		sites[name] = string(readFile(t, name))
	}
	for name, text := range sites {
		t.Run(name, func(t *testing.T) { checkRoundTrip(t, text) })
	}
}

func checkRoundTrip(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string) {
	t.Helper()
	f, d := parseSite("site.yaml", []byte(text), testBook)
	if err := d.err(); err != nil {
		t.Fatalf("%s", err)
	}
	shown, err := f.text()
	if err != nil {
		t.Fatalf("%s", err)
	}
	g, d := parseSite("shown.yaml", shown, testBook)
	if err := d.err(); err != nil {
		t.Fatalf("what show prints is refused: %s\nfile:\n%s\nshown:\n%s", err, text, shown)
	}
	for _, key := range f.hostKeys() {
		want, got := f.stack(nil), g.stack(nil)
		if f.standOn(&want, key) != nil || g.standOn(&got, key) != nil {
			t.Fatalf("host %s is not in its own site", key)
		}
		if diff := cmp.Diff(want, got, stackOptions); diff != "" {
			t.Fatalf("what show prints is another site: -file +shown\n%s\n%s", diff, shown)
		}
	}
	again, err := g.text()
	if err != nil || string(again) != string(shown) {
		t.Fatalf("show of show differs (%v):\n%s\n%s", err, shown, again)
	}
}

// An address and a network compare as values; a list of nothing is no list.
var stackOptions = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// TestGuideSite holds the four lines against the guide's stack.
func TestGuideSite(t *testing.T) {
	s := mustStack(t, smallest)
	if got, want := s.IssuerURL(), "https://idp.breathtechnology.co.uk/realms/breath"; got != want {
		t.Errorf("issuer %s, want %s", got, want)
	}
	if got, want := s.Hosts[1].FQDN, "homer.breathtechnology.co.uk"; got != want {
		t.Errorf("gateway host %s, want %s", got, want)
	}
	want := []rules.Client{
		{
			ID: "director", ServiceAccount: true, FullScope: true, PostLogout: "+",
			RootURL: "https://homer.breathtechnology.co.uk", Redirects: []string{"https://homer.breathtechnology.co.uk/*"},
		},
		{
			ID: "ha-bridge", Public: true, FullScope: true, PostLogout: "+",
			RootURL: "https://ha-bridge.breathtechnology.co.uk", Redirects: []string{"https://ha-bridge.breathtechnology.co.uk/*"},
		},
		{
			ID: "ollama-gw", ServiceAccount: true, Audience: true, Group: true, PostLogout: "https://ollama.breathtechnology.co.uk/*",
			RootURL: "https://ollama.breathtechnology.co.uk", Redirects: []string{"https://ollama.breathtechnology.co.uk/oauth2/callback"},
		},
	}
	if diff := cmp.Diff(want, s.Realm.Clients); diff != "" {
		t.Errorf("clients: -want +got\n%s", diff)
	}
	gateways := []rules.Gateway{{
		Name: "ollama", Host: "homer", FQDN: "ollama.breathtechnology.co.uk", Upstream: "http://[::1]:11434", Client: "ollama-gw",
	}}
	if diff := cmp.Diff(gateways, s.Gateways); diff != "" {
		t.Errorf("gateways: -want +got\n%s", diff)
	}
	realm := s.Realm
	realm.Clients = nil
	wantRealm := rules.Realm{
		Name: "breath", Display: "Breath Technology", AdminsGroup: "admins",
		Roles:       []rules.RealmRole{{Name: "admin", Description: "Realm admin for Breath"}, {Name: "user", Description: "Standard user"}},
		AccessToken: 30 * time.Minute, SessionIdle: 10 * time.Hour, SessionMax: 24 * time.Hour,
	}
	if diff := cmp.Diff(wantRealm, realm); diff != "" {
		t.Errorf("realm: -want +got\n%s", diff)
	}
	if s.ACME.RenewBefore != 21*24*time.Hour || s.Backups.MaxAge != 26*time.Hour || s.Postgres.Port != 5432 {
		t.Errorf("defaults: %+v %+v %+v", s.ACME, s.Backups, s.Postgres)
	}
}

// commented is a setting that the starter file shows with its default.
var commented = regexp.MustCompile(`(?m)^#(\S|  )`)

// uncomment turns the starter's settings on.
func uncomment(starter []byte) []byte { return commented.ReplaceAll(starter, []byte("$1")) }

// TestStarterShowsTheDefaults: what the starter says is the default is.
func TestStarterShowsTheDefaults(t *testing.T) {
	for _, gateway := range []string{"", "homer=2001:db8::2"} {
		text, err := starterText("example.net", "2001:db8::7", gateway)
		if err != nil {
			t.Fatal(err)
		}
		all := uncomment(text)
		if len(all) >= len(text) {
			t.Error("nothing was commented out")
		}
		want, got := mustStack(t, string(text)), mustStack(t, string(all))
		if diff := cmp.Diff(want, got, stackOptions, cmpopts.IgnoreFields(rules.Stack{}, "Hash")); diff != "" {
			t.Errorf("gateway %q: -starter +uncommented\n%s", gateway, diff)
		}
	}
}

func TestSiteDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30m": 30 * time.Minute, "10h": 10 * time.Hour, "21d": 21 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "3650d": siteMaxDuration, "1d": 24 * time.Hour,
	} {
		got, problem := parseSiteDuration(text)
		if got != want || problem != "" {
			t.Errorf("%s = %s, %q; want %s", text, got, problem, want)
		}
		if back, _ := parseSiteDuration(siteDuration(got).String()); back != got {
			t.Errorf("%s prints as %s, which is %s", text, siteDuration(got), back)
		}
	}
	for text, want := range map[string]string{
		"d":           "is no length of time; write it as 30m, 10h or 21d",
		"10":          "is no length of time; write it as 30m, 10h or 21d",
		"3 weeks":     "is no length of time; write it as 30m, 10h or 21d",
		"1d-1h":       "is no length of time; write it as 30m, 10h or 21d",
		"1d1d":        "is no length of time; write it as 30m, 10h or 21d",
		"0s":          "must be more than nothing",
		"0d":          "must be more than nothing",
		"-5m":         "must be more than nothing",
		"-3d":         "must be more than nothing",
		"1500ms":      "must be whole seconds",
		"3651d":       "is longer than ten years",
		"3650d1s":     "is longer than ten years",
		"2147483647d": "is longer than ten years",
		"99999h":      "is longer than ten years",
	} {
		if got, problem := parseSiteDuration(text); problem != want {
			t.Errorf("%q = %s, %q; want %q", text, got, problem, want)
		}
	}
}
