package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Side is where the issuer is asked: at the public address, through the edge,
// or at Keycloak's own listener. Its text is the subject of findings.
type Side string

// The sides.
const (
	Public Side = "public"
	Local  Side = "local"
)

// service is whose port a side is: the subject of what is wrong with that alone.
func (s Side) service() string {
	if s == Public {
		return "nginx"
	}
	return "keycloak"
}

// An Issuer reads the discovery document as users do, at a literal address and
// with the public name, and compares the issuer in it byte for byte.
//
// Discovery is answered from a cache while the database is gone, and for a
// realm that is disabled: that it is well says nothing about either.
type Issuer struct {
	Side     Side
	Address  string // what is dialled: "[2001:db8::1]:443", "[::1]:8443"
	URL      string // Keycloak's public base: "https://idp.example.org"
	Realm    string
	Database string // where Keycloak keeps its tables
	Backups  string // directory of the database's backups
}

// Spec implements [probes.Probe].
func (i Issuer) Spec() probes.Spec {
	return probes.Spec{
		ID:      "issuer." + string(i.Side),
		Summary: "discovery at the " + string(i.Side) + " listener names the right issuer",
		Codes: []probes.Code{
			IssuerUnreachable, IssuerUntrusted, IssuerError, IssuerPortLeak, IssuerPlainHTTP, IssuerWrongPath,
			RealmDisabled, RealmMissing, SchemaMissing, PlainHTTP,
		},
		Every:   10 * time.Second,
		Timeout: timeout,
	}
}

// want is the issuer as it has to be.
func (i Issuer) want() string { return i.URL + "/realms/" + i.Realm }

// document is what is asked for. At Keycloak's own listener its port is part of
// the question, as it is for whoever asks there: a server whose hostname is no
// full URL makes the issuer of what it is asked by, and only so it shows.
func (i Issuer) document() string {
	base := i.URL
	if _, port, err := net.SplitHostPort(i.Address); err == nil && i.Side == Local {
		base += ":" + port
	}
	return base + "/realms/" + i.Realm + "/.well-known/openid-configuration"
}

// Observe implements [probes.Probe]. A server that is starting, which answers
// 503, means that it could not look.
func (i Issuer) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodGet, i.document(), nil)
	if err != nil {
		return nil, err
	}
	// Through the edge each look has to find its own way in; at the loopback
	// a kept connection costs the server a fifth.
	conns := host.Fresh
	if i.Side == Local {
		conns = host.Kept
	}
	status, body, err := fetch(h.HTTPClient(i.Address, req.URL.Hostname(), conns), req)
	if err != nil {
		return i.unreachable(ctx, err)
	}
	return i.answered(within, h, status, body)
}

// httpsRequired is what a realm that wants TLS of everybody (sslRequired: all)
// answers over TLS when the server's hostname begins with http://: it goes by
// that, not by the connection.
const httpsRequired = "HTTPS required"

// unreachable judges a request that got no answer.
func (i Issuer) unreachable(ctx context.Context, err error) ([]probes.Finding, error) {
	at := " at the " + string(i.Side) + " listener"
	switch troubleOf(ctx, err) {
	case blind:
		return nil, err
	case untrusted:
		return i.found(IssuerUntrusted, string(i.Side), "clients refuse the certificate"+at, "a certificate that clients trust", why(err)), nil
	case plain:
		return i.found(PlainHTTP, i.Side.service(), "plain HTTP is spoken where TLS belongs", "TLS", why(err)), nil
	case silent:
		return i.found(IssuerUnreachable, string(i.Side), "the issuer can't be reached"+at, "the discovery document", "accepts, no answer in time"), nil
	case closed:
		return i.found(IssuerUnreachable, string(i.Side), "the issuer can't be reached"+at, "the discovery document", "accepts, then: "+why(err)), nil
	}
	return i.found(IssuerUnreachable, string(i.Side), "the issuer can't be reached"+at, "the discovery document", why(err)), nil
}

// answered judges an answer by HTTP.
func (i Issuer) answered(ctx context.Context, h *host.Host, status int, body []byte) ([]probes.Finding, error) {
	got := fmt.Sprintf("status %d: %s", status, clip(string(body), 200))
	text := string(body)
	switch {
	case status == http.StatusOK:
		return i.judge(body, got), nil
	case strings.Contains(text, "Realm does not exist"):
		return i.found(RealmMissing, i.Realm, "realm "+i.Realm+" does not exist", "the discovery document", got), nil
	case strings.Contains(text, "Realm not enabled"):
		return i.found(RealmDisabled, i.Realm, "realm "+i.Realm+" is disabled", "the discovery document", got), nil
	case strings.Contains(text, httpsRequired):
		return i.found(IssuerPlainHTTP, string(i.Side), "Keycloak takes its own address for plain HTTP, and asks for HTTPS over HTTPS", "the discovery document", got), nil
	case status == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("read %s at %s: %s: Keycloak is starting", i.document(), i.Address, got)
	case status == http.StatusInternalServerError && schemaGone(ctx, h, i.Database):
		return restorable(h, i.found(SchemaMissing, i.Database, noTables, "the discovery document", got), i.Backups), nil
	case status >= http.StatusInternalServerError:
		return i.found(IssuerError, string(i.Side), "Keycloak fails to serve discovery", "status 200", got), nil
	}
	return i.found(IssuerWrongPath, string(i.Side), "there is no discovery document where the issuer has it", "status 200", got), nil
}

// judge compares the issuer.
func (i Issuer) judge(body []byte, got string) []probes.Finding {
	var document struct{ Issuer string }
	if json.Unmarshal(body, &document) != nil || document.Issuer == "" {
		return i.found(IssuerWrongPath, string(i.Side), "what answers is no discovery document", "issuer "+i.want(), got)
	}
	if document.Issuer == i.want() {
		return nil
	}
	code, summary := compareIssuers(i.want(), document.Issuer)
	return i.found(code, string(i.Side), summary, i.want(), clip(document.Issuer, 300)+difference(i.want(), document.Issuer))
}

// compareIssuers names in what way a wrong issuer is wrong.
func compareIssuers(want, got string) (probes.Code, string) {
	w, err1 := url.Parse(want)
	g, err2 := url.Parse(got)
	switch {
	case err1 != nil || err2 != nil:
		return IssuerWrongPath, "the issuer is no URL"
	case g.Scheme == "http" && w.Scheme == "https":
		return IssuerPlainHTTP, "the issuer begins with http://"
	case g.Port() != w.Port() && g.Hostname() == w.Hostname():
		return IssuerPortLeak, "the issuer carries the port " + g.Port()
	case g.Host != w.Host:
		return IssuerWrongPath, "the issuer is on another name"
	}
	return IssuerWrongPath, "the issuer has another path"
}

// difference points at the first byte in which two strings differ.
func difference(want, got string) string {
	n := 0
	for n < len(want) && n < len(got) && want[n] == got[n] {
		n++
	}
	return fmt.Sprintf(" (differs from byte %d on)", n+1)
}

func (i Issuer) found(code probes.Code, subject, summary, want, got string) []probes.Finding {
	command := fmt.Sprintf("curl -sS -m 3 --connect-to '::%s' %s", i.Address, i.document())
	return []probes.Finding{{Code: code, Subject: subject, Summary: clip(summary, 200), Evidence: []probes.Evidence{{
		Source: i.document() + " at " + i.Address, Want: want, Got: got, Command: command,
	}}}}
}
