package nginx

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/edgeconf"
	"watchdog/probes/format/nginxconf"
	"watchdog/probes/host"
)

// A Config reads what NGINX would run with, as NGINX itself puts it together,
// and judges the two servers of an identity host: the TCP stream to Keycloak's
// own TLS, and the redirect that also serves the certificate authority.
type Config struct {
	Address  netip.Addr // the public address
	Upstream string     // "[::1]:8443"
	Webroot  string     // of the http-01 challenge
	// Files are watched: a change of one makes a look due.
	Files []string
}

// Spec implements [probes.Probe].
func (c Config) Spec() probes.Spec {
	wakes := []probes.Wake{{Kind: probes.WakeUnit, Name: "nginx"}}
	for _, f := range c.Files {
		wakes = append(wakes, probes.Wake{Kind: probes.WakeFile, Name: f})
	}
	return probes.Spec{
		ID:      "nginx.config",
		Summary: "the configuration of NGINX is valid, leads to Keycloak and is the one that runs",
		Codes:   []probes.Code{ConfigInvalid, StreamMissing, WrongUpstream, RedirectMissing, CSPConflict, RunningStale, PlainHTTP},
		Every:   time.Minute,
		Timeout: timeout,
		Wakes:   wakes,
	}
}

// The public ports, and where the certificate authority asks.
const (
	portTLS   = 443
	portHTTP  = 80
	challenge = "/.well-known/acme-challenge/"
	command   = "nginx -T"
)

// Observe implements [probes.Probe]. Where NGINX is not installed, or its test
// says nothing about the configuration, it could not look.
func (c Config) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	dump, err := h.Exec.Run(ctx, "nginx", "-T")
	if err != nil {
		return c.invalid(ctx, h, err)
	}
	config, err := nginxconf.Parse(dump)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(c.stream(ctx, h, config), c.redirect(config))
	stale, err := running(ctx, h, config)
	return append(found, stale...), err
}

// emerg is how NGINX says what it does not like: the message, and in most cases
// the place.
var emerg = regexp.MustCompile(`\[emerg\] (?:\d+#\d+: )?(.*?)(?: in (/\S+:\d+))?\s*$`)

// notConfig are complaints of the test that are about the machine and whoever
// runs it, not about the configuration.
var notConfig = regexp.MustCompile(`\(13: Permission denied\)|\(98: Address already in use\)|\(24: Too many open files\)|\(28: No space left on device\)`)

// invalid judges a test that failed.
func (c Config) invalid(ctx context.Context, h *host.Host, err error) ([]probes.Finding, error) {
	var e *host.CommandError
	if ctx.Err() != nil || !errors.As(err, &e) || e.Status < 0 {
		return nil, err
	}
	for l := range strings.Lines(e.Stderr) {
		m := emerg.FindStringSubmatch(l)
		if m == nil || notConfig.MatchString(l) {
			continue
		}
		at := m[2]
		if at == "" {
			at = h.Facts.Layout.NginxConf
		}
		return []probes.Finding{{Code: ConfigInvalid, Subject: at, Summary: "NGINX refuses its configuration", Evidence: []probes.Evidence{{
			Source: at, Want: "syntax is ok", Got: probes.Clip(m[1]), Command: "nginx -t",
		}}}}, nil
	}
	return nil, err
}

// stream judges the way from the public port to Keycloak.
func (c Config) stream(ctx context.Context, h *host.Host, config *nginxconf.Config) []probes.Finding {
	var out []probes.Finding
	through := slices.DeleteFunc(config.Find("stream", "server"), func(s nginxconf.Directive) bool { return !edgeconf.On(s, c.Address, portTLS) })
	for _, s := range through {
		for _, pass := range s.Find("proxy_pass") {
			if got := upstream(config, pass); !slices.Equal(got, []string{c.Upstream}) {
				out = append(out, c.astray(ctx, h, pass, got))
			}
		}
		if len(s.Find("proxy_pass")) == 0 {
			out = append(out, finding(WrongUpstream, s.Pos(), "the public port leads nowhere", "proxy_pass "+c.Upstream, "no proxy_pass"))
		}
	}
	ending := slices.DeleteFunc(config.Find("http", "server"), func(s nginxconf.Directive) bool { return !edgeconf.On(s, c.Address, portTLS) })
	if policies := c.policies(config, ending); len(policies) > 0 {
		return append(out, policies...)
	}
	switch got := "no such server"; {
	case len(through) == 0:
		for _, s := range ending {
			got += "; an http server listens there: " + s.Pos()
		}
		out = append(out, finding(StreamMissing, config.Main, "nothing passes port 443 through to Keycloak", "a stream server with listen [::]:443", probes.Clip(got)))
	case len(ending) > 0: // nginx -t has no objection, and no start would get the port twice
		out = append(out, finding(ConfigInvalid, ending[0].Pos(), "NGINX could not start: two servers want port 443",
			"the stream server at "+through[0].Pos()+" alone on port 443", "an http server wants it too"))
	}
	return out
}

// policy is the header in which a page says who may frame it. Browsers obey all
// that they get, so a second one can only take away from Keycloak's.
const policy = "Content-Security-Policy"

// policies judges http servers that end TLS in front of Keycloak: what they add
// to its pages.
func (c Config) policies(config *nginxconf.Config, ending []nginxconf.Directive) []probes.Finding {
	var out []probes.Finding
	for _, s := range ending {
		for _, front := range edgeconf.Fronts(s, config.Find("http", "upstream"), config.Find("http", "add_header"), c.Upstream) {
			i := slices.IndexFunc(front.Adds, func(d nginxconf.Directive) bool { return len(d.Args) > 0 && strings.EqualFold(d.Args[0], policy) })
			if i < 0 {
				continue
			}
			f := finding(CSPConflict, s.Pos(), "NGINX ends TLS in front of Keycloak and puts its own "+policy+" over its pages",
				"port 443 passed through by a stream server, and Keycloak's own policy alone", probes.Clip(front.Adds[i].String()+"; "+front.String()))
			f.Evidence[0].Source = front.Adds[i].Pos()
			out = append(out, f)
			break
		}
	}
	return out
}

// astray names what it means that a proxy_pass leads elsewhere: by what is
// spoken there, which is what clients meet. With plain HTTP it is the fault that
// browsers have a name for, found from their side too.
func (c Config) astray(ctx context.Context, h *host.Host, pass nginxconf.Directive, servers []string) probes.Finding {
	want, got := "proxy_pass "+c.Upstream, pass.String()+" → "+strings.Join(servers, ", ")
	ctx, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	for _, s := range servers {
		if speaksPlain(ctx, h, s) {
			f := finding(PlainHTTP, pass.Pos(), "the public port leads to a listener without TLS", want, got+", which speaks no TLS")
			f.Subject = "nginx"
			return f
		}
	}
	return finding(WrongUpstream, pass.Pos(), "the public port leads elsewhere than to Keycloak", want, got)
}

// speaksPlain reports whether a listener answers a TLS handshake with something
// that is none. One that can't be asked, or is no address, does not.
func speaksPlain(ctx context.Context, h *host.Host, address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	conn, err := h.Net.Dial(ctx, network, address)
	if err != nil {
		return false
	}
	defer conn.Close()
	// Only the first bytes of the answer are judged, nothing is sent over it.
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	var header tls.RecordHeaderError
	return errors.As(err, &header)
}

// upstream resolves what a proxy_pass leads to: an address, or the servers of
// an upstream block of that name.
func upstream(config *nginxconf.Config, pass nginxconf.Directive) []string {
	to := strings.Join(pass.Args, " ")
	if servers := edgeconf.Group(config.Find("stream", "upstream"), to); servers != nil {
		return servers
	}
	return []string{to}
}

// redirect judges the plain port: it sends people to TLS, and serves the
// certificate authority without that.
func (c Config) redirect(config *nginxconf.Config) []probes.Finding {
	at, got := config.Main, "no server listens there"
	for _, s := range config.Find("http", "server") {
		if !edgeconf.On(s, c.Address, portHTTP) {
			continue
		}
		switch {
		case !c.servesChallenge(s):
			at, got = s.Pos(), "no location "+challenge+" with root "+c.Webroot
		case !redirects(s):
			at, got = s.Pos(), "no return of 301 or 308 to https://"
		default:
			return nil
		}
	}
	return []probes.Finding{finding(RedirectMissing, at, "port 80 does not redirect and serve the certificate authority",
		"an http server on [::]:80 with a redirect and location "+challenge, got)}
}

// servesChallenge reports whether a server answers the certificate authority
// from the webroot.
func (c Config) servesChallenge(server nginxconf.Directive) bool {
	for _, l := range server.Find("location") {
		if len(l.Args) == 0 || l.Args[len(l.Args)-1] != challenge && l.Args[len(l.Args)-1] != strings.TrimSuffix(challenge, "/") {
			continue
		}
		roots := append(l.Values("root"), server.Values("root")...)
		if len(roots) > 0 && strings.TrimSuffix(roots[0], "/") == strings.TrimSuffix(c.Webroot, "/") {
			return true
		}
	}
	return false
}

func redirects(server nginxconf.Directive) bool {
	returns := server.Find("return")
	for _, l := range server.Find("location") {
		if len(l.Args) == 1 && l.Args[0] == "/" {
			returns = append(returns, l.Find("return")...)
		}
	}
	return slices.ContainsFunc(returns, func(r nginxconf.Directive) bool {
		return len(r.Args) == 2 && (r.Args[0] == "301" || r.Args[0] == "308") && strings.HasPrefix(r.Args[1], "https://")
	})
}

func finding(code probes.Code, at, summary, want, got string) probes.Finding {
	return probes.Finding{Code: code, Subject: at, Summary: summary, Evidence: []probes.Evidence{{Source: at, Want: want, Got: got, Command: command}}}
}
