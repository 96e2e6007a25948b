package remedies

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"watchdog/probes/format/properties"
)

// A kcRelease is a version of Keycloak: major, minor, patch.
type kcRelease [3]int

func parseKCRelease(text string) (kcRelease, bool) {
	m := versionLine.FindStringSubmatch(text)
	if m == nil {
		return kcRelease{}, false
	}
	var r kcRelease
	for i := range r {
		n, err := strconv.Atoi(m[i+1])
		if err != nil {
			return kcRelease{}, false
		}
		r[i] = n
	}
	return r, true
}

func (r kcRelease) before(other kcRelease) bool {
	for i := range r {
		if r[i] != other[i] {
			return r[i] < other[i]
		}
	}
	return false
}

func (r kcRelease) String() string { return fmt.Sprintf("%d.%d.%d", r[0], r[1], r[2]) }

// A kcOption is one line of keycloak.conf.
type kcOption struct {
	key string
	// since is the first release that has it, until the first that has it no
	// more; zero means always. Each release ignores in silence what it does not
	// know, so that a line too many would look right and do nothing.
	since, until kcRelease
	// told is the first release whose help names it.
	told kcRelease
	// build marks what kc.sh build has to be run again for.
	build bool
	note  string // a comment above it
	value func(s KeycloakServer, password string) string
}

func kcFixed(v string) func(KeycloakServer, string) string {
	return func(KeycloakServer, string) string { return v }
}

func kcPublic(s KeycloakServer, _ string) string { return s.Public }

// kcOptions are the lines of keycloak.conf in order. Release bounds are from the
// programs' own help, 24.0.5 to 26.7.0.
var kcOptions = []kcOption{
	{key: "hostname", since: kcRelease{25}, value: kcPublic,
		note: "The public name as a full URL fixes scheme and port: no request can put\n:8443 or http:// into the issuer."},
	{key: "hostname-admin", since: kcRelease{25}, value: kcPublic},
	{key: "hostname-url", until: kcRelease{25}, value: kcPublic,
		note: "The public name as a full URL fixes scheme and port: no request can put\n:8443 or http:// into the issuer."},
	{key: "hostname-admin-url", until: kcRelease{25}, value: kcPublic},
	{key: "hostname-strict", value: kcFixed("true")},

	{key: "http-enabled", value: kcFixed("false"),
		note: "HTTPS only, on the IPv6 loopback only. There is no https-host: http-host is\nfor both."},
	{key: "http-host", value: kcFixed("::1")},
	{key: "https-port", value: func(s KeycloakServer, _ string) string { return strconv.Itoa(s.Port) }},
	{key: "https-certificate-file", value: func(s KeycloakServer, _ string) string { return s.certs() + "/fullchain.pem" }},
	{key: "https-certificate-key-file", value: func(s KeycloakServer, _ string) string { return s.certs() + "/privkey.pem" }},
	{key: "https-certificates-reload-period", since: kcRelease{26}, value: kcFixed("30s"),
		note: "A renewed certificate needs no restart; 30s is the least allowed."},

	{key: "health-enabled", build: true, value: kcFixed("true"),
		note: "Ready tells of the database only with health and metrics both on."},
	// Before 25 there is no management interface: metrics would be public.
	{key: "metrics-enabled", since: kcRelease{25}, build: true, value: kcFixed("true")},
	{key: "http-management-host", since: kcRelease{25}, told: kcRelease{26, 7}, value: kcFixed("::1")},
	{key: "http-management-port", since: kcRelease{25}, value: func(s KeycloakServer, _ string) string { return strconv.Itoa(s.Mgmt) }},
	{key: "http-management-scheme", since: kcRelease{26, 4}, value: kcFixed("http")},

	{key: "db", build: true, value: kcFixed("postgres"),
		note: "PostgreSQL listens on both loopbacks; one of them is dialled."},
	{key: "db-url", value: func(s KeycloakServer, _ string) string {
		return fmt.Sprintf("jdbc:postgresql://%s/%s", loopback(s.DatabasePort), s.Database)
	}},
	{key: "db-username", value: func(s KeycloakServer, _ string) string { return s.Role }},
	{key: "db-password", value: func(_ KeycloakServer, password string) string { return password }},

	{key: "cache", build: true, value: kcFixed("local"), note: "One node."},
	{key: "log-console-color", value: kcFixed("false")},
}

// optionsOf lists the options that a release knows.
func optionsOf(r kcRelease) []kcOption {
	var out []kcOption
	for _, o := range kcOptions {
		if !r.before(o.since) && (o.until == kcRelease{} || r.before(o.until)) {
			out = append(out, o)
		}
	}
	return out
}

// render writes keycloak.conf in the dialect of release r.
func (s KeycloakServer) render(r kcRelease, password string) []byte {
	var f properties.File
	f.Comment("Written by watchdog for Keycloak " + r.String() + ".")
	for _, o := range optionsOf(r) {
		if o.note != "" {
			f.Comment("")
			f.Comment(o.note)
		}
		f.Set(o.key, o.value(s, password))
	}
	return f.Bytes()
}

// built renders what kc.sh build makes of the configuration: as long as this is
// the same, what was built can be started.
func (s KeycloakServer) built(r kcRelease) []byte {
	var f properties.File
	f.Comment("Written by watchdog: what kc.sh build was last run for.")
	f.Set("version", r.String())
	for _, o := range optionsOf(r) {
		if o.build {
			f.Set(o.key, o.value(s, ""))
		}
	}
	return f.Bytes()
}

// knownOptions is the gate that asks the installed Keycloak whether it knows
// the options: in the file it would ignore one that it doesn't, in silence.
type knownOptions struct{ keys []string }

// gate is what a release is asked before it is started with its options.
func (r kcRelease) gate() Gate {
	var g knownOptions
	for _, o := range optionsOf(r) {
		if !r.before(o.told) {
			g.keys = append(g.keys, o.key)
		}
	}
	return g
}

func (g knownOptions) String() string { return "ask Keycloak for its options" }

// Pass implements [Gate].
func (g knownOptions) Pass(ctx context.Context, w Hands) error {
	help, err := w.Run(ctx, Command{Name: "kc-help"})
	if err != nil {
		return err
	}
	var unknown []string
	for _, key := range g.keys {
		if !strings.Contains(string(help), "--"+key+" ") {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("this version does not know %s", strings.Join(unknown, ", "))
	}
	return nil
}
