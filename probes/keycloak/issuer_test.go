package keycloak

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func names(issuer string) string {
	return `{"issuer":"` + issuer + `","jwks_uri":"` + issuer + `/protocol/openid-connect/certs"}`
}

func TestIssuer(t *testing.T) {
	ca := newAuthority(t)
	good := ca.serves(t, name, time.Now().Add(time.Hour))
	// The key of another certificate: it starts, and each handshake fails.
	mixed := &tls.Config{Certificates: []tls.Certificate{{
		Certificate: good.Certificates[0].Certificate, PrivateKey: newKey(t),
	}}}
	const tables = "relname = 'realm'"
	const serverError = `{"error":"unknown_error","error_description":"For more on this error consult the server log."}`

	for _, s := range []struct {
		side    Side
		address string
	}{{Public, publicly}, {Local, local}} {
		at := " " + string(s.side)
		plainSubject := " nginx"
		var asked []string // of a server whose hostname is no full URL
		if s.side == Local {
			plainSubject, asked = " keycloak", []string{"issuer.port-leak local"}
		}
		answers := func(status int, body string, more ...hosttest.Option) []hosttest.Option {
			return append(serve(s.address, good, says(status, body)), more...)
		}
		with := func(c *tls.Config) []hosttest.Option { return serve(s.address, c, says(200, names(issuer))) }
		probe := Issuer{Side: s.side, Address: s.address, URL: base, Realm: "breath", Database: "keycloak", Backups: "/var/backups/watchdog"}
		t.Run(string(s.side), func(t *testing.T) {
			probetest.Suite{
				Probe: ca.trusted(probe),
				Cases: map[string]probetest.Case{
					"well":     {Host: answers(200, names(issuer))},
					"port":     {Host: answers(200, names(base+":8443/realms/breath")), Want: []string{"issuer.port-leak" + at}, Says: []string{"differs from byte 24 on"}},
					"port 443": {Host: answers(200, names(base+":443/realms/breath")), Want: []string{"issuer.port-leak" + at}},
					"made of the question": {Host: serve(s.address, good, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.WriteString(w, names("https://"+r.Host+"/realms/breath"))
					})), Want: asked},
					"http":               {Host: answers(200, names("http://idp.example.org/realms/breath")), Want: []string{"issuer.plain-http" + at}},
					"http 8080":          {Host: answers(200, names("http://idp.example.org:8080/realms/breath")), Want: []string{"issuer.plain-http" + at}},
					"doubled":            {Host: answers(200, names(issuer+"/realms/breath")), Want: []string{"issuer.wrong-path" + at}, Says: []string{issuer + "/realms/breath (differs"}},
					"slash":              {Host: answers(200, names(issuer+"/")), Want: []string{"issuer.wrong-path" + at}},
					"case":               {Host: answers(200, names("https://IDP.example.org/realms/breath")), Want: []string{"issuer.wrong-path" + at}},
					"version 24":         {Host: answers(200, names("https://https//idp.example.org:8443/realms/breath")), Want: []string{"issuer.wrong-path" + at}},
					"another page":       {Host: answers(200, "<html>"), Want: []string{"issuer.wrong-path" + at}, Says: []string{"<html>"}},
					"no realm":           {Host: answers(404, `{"error":"Realm does not exist"}`), Want: []string{"realm.missing breath"}},
					"other path":         {Host: answers(404, `{"error":"Unable to find matching target resource method"}`), Want: []string{"issuer.wrong-path" + at}},
					"disabled":           {Host: answers(403, `{"error":"access_denied","error_description":"Realm not enabled"}`), Want: []string{"realm.disabled breath"}},
					"hostname is http":   {Host: answers(403, `{"error":"invalid_request","error_description":"HTTPS required"}`), Want: []string{"issuer.plain-http" + at}, Says: []string{"HTTPS required"}},
					"moved":              {Host: serve(s.address, good, http.RedirectHandler("https://192.0.2.1/", 301)), Want: []string{"issuer.wrong-path" + at}, Says: []string{"status 301"}},
					"starting":           {Host: answers(503, ""), Err: "Keycloak is starting"},
					"error":              {Host: answers(500, serverError, hosttest.Rows(tables, []string{"1"})), Want: []string{"issuer.server-error" + at}},
					"error, no database": {Host: answers(500, serverError), Want: []string{"issuer.server-error" + at}},
					"schema gone":        {Host: answers(500, serverError, hosttest.Rows(tables, []string{"0"})), Want: []string{"keycloak.schema-missing keycloak"}, Says: []string{"a verified backup to restore"}},
					"gateway":            {Host: answers(502, "Bad Gateway"), Want: []string{"issuer.server-error" + at}},
					"refused":            {Want: []string{"issuer.unreachable" + at}, Says: []string{"connection refused"}},
					"no route":           {Host: []hosttest.Option{fails(s.address, syscall.EHOSTUNREACH)}, Want: []string{"issuer.unreachable" + at}, Says: []string{"no route to host"}},
					"upstream dead":      {Host: []hosttest.Option{hosttest.Serve(s.address, stops)}, Want: []string{"issuer.unreachable" + at}, Says: []string{"accepts, then: closes the connection"}},
					"frozen":             {Host: []hosttest.Option{hosttest.Serve(s.address, hosttest.Hang)}, Deadline: 600 * time.Millisecond, Want: []string{"issuer.unreachable" + at}, Says: []string{"accepts, no answer"}},
					"frozen after TLS": {Host: serve(s.address, good, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })),
						Deadline: 600 * time.Millisecond, Want: []string{"issuer.unreachable" + at}},
					"plain":        {Host: []hosttest.Option{hosttest.Serve(s.address, hosttest.HTTP(says(200, "")))}, Want: []string{"tls.plain-http" + plainSubject}, Says: []string{"HTTP response to HTTPS client"}},
					"no TLS":       {Host: []hosttest.Option{hosttest.Serve(s.address, hosttest.Say("220 mail ESMTP\r\n"))}, Want: []string{"tls.plain-http" + plainSubject}, Says: []string{"first record does not look like a TLS handshake"}},
					"expired":      {Host: with(ca.serves(t, name, time.Now().Add(-time.Hour))), Want: []string{"issuer.untrusted" + at}, Says: []string{"certificate has expired"}},
					"another name": {Host: with(ca.serves(t, "other.example.org", time.Now().Add(time.Hour))), Want: []string{"issuer.untrusted" + at}, Says: []string{"certificate is valid for other.example.org"}},
					"another CA":   {Host: with(newAuthority(t).serves(t, name, time.Now().Add(time.Hour))), Want: []string{"issuer.untrusted" + at}, Says: []string{"unknown authority"}},
					"another key":  {Host: with(mixed), Want: []string{"issuer.untrusted" + at}, Says: []string{"invalid signature by the server certificate"}},
					"endless":      {Host: answers(200, strings.Repeat("x", maxBody+10)), Want: []string{"issuer.unreachable" + at}, Says: []string{"more than"}},
					"other family": {Host: []hosttest.Option{hosttest.Listeners(host.Listener{})}, Want: []string{"issuer.unreachable" + at}},
				},
			}.Run(t)
		})
	}
}
