package remedies_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// An authority issues certificates through an intermediate, as the real ones do.
type authority struct {
	roots        *x509.CertPool
	intermediate *hosttest.Certificate
}

func newAuthority() authority {
	ca := func(name string, by *hosttest.Certificate) *hosttest.Certificate {
		return hosttest.Sign(x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true}, by)
	}
	root := ca("root", nil)
	return authority{root.Pool(), ca("intermediate", root)}
}

// issue returns the chain and the key of a new certificate of that end, in PEM.
func (a authority) issue(until time.Time, names ...string) (chain, key string) {
	return a.lasting(hosttest.Noon.AddDate(0, 0, -80), until, names...)
}

// lasting is issue from a given time on.
func (a authority) lasting(from, until time.Time, names ...string) (chain, key string) {
	return hosttest.Sign(x509.Certificate{DNSNames: names, NotBefore: from, NotAfter: until}, a.intermediate).PEM()
}

// config is a server's that has a certificate of the authority.
func (a authority) config(name string) *tls.Config {
	return hosttest.Sign(x509.Certificate{DNSNames: []string{name}}, a.intermediate).Config()
}

const (
	fqdn    = "idp.example.org"
	live    = "/etc/letsencrypt/live/" + fqdn
	renewal = "/etc/letsencrypt/renewal/" + fqdn + ".conf"
)

func lineage() remedies.CertLineage {
	return remedies.CertLineage{Name: fqdn, Webroot: "/var/lib/acme", RenewBefore: 14 * 24 * time.Hour}
}

func TestCertLineage(t *testing.T) {
	ca := newAuthority()
	day := func(n int) time.Time { return hosttest.Noon.AddDate(0, 0, n) }
	good, _ := ca.issue(day(60), fqdn)
	expiring, _ := ca.issue(day(10), fqdn)
	expired, _ := ca.issue(day(-1), fqdn)
	foreign, _ := ca.issue(day(60), "other.example.org")
	both, _ := ca.issue(day(10), fqdn, "www.example.org")
	ending, _ := ca.lasting(hosttest.Noon.Add(-5*time.Hour), hosttest.Noon.Add(time.Hour), fqdn)
	half, _ := ca.lasting(hosttest.Noon.Add(-3*time.Hour), hosttest.Noon.Add(3*time.Hour), fqdn)
	stranger, _ := newAuthority().issue(day(60), "x")
	_, foreignIssuer, _ := strings.Cut(stranger, "-----END CERTIFICATE-----\n")
	lone := good[:strings.Index(good, "-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
	const webroot, standalone = "version = 2.1.0\n[renewalparams]\nauthenticator = webroot\n", "[renewalparams]\nauthenticator = standalone\n"
	const forced = " --force-renewal --renew-with-new-domains"
	tests := map[string]struct {
		chain, renewal string
		why            string // empty: nothing to do
		names, mode    string
	}{
		"none":                   {"", "", "there is none", "-d " + fqdn, " --keep-until-expiring"},
		"an empty file":          {"garbage", webroot, "there is none", "-d " + fqdn, " --keep-until-expiring"},
		"good":                   {good, webroot, "", "", ""},
		"expiring":               {expiring, webroot, "it ends 2026-12-03 12:00:00", "-d " + fqdn, forced},
		"expired":                {expired, webroot, "it ends 2026-11-22 12:00:00", "-d " + fqdn, forced},
		"of another name":        {foreign, webroot, "it is for other.example.org", "-d " + fqdn, forced},
		"made standalone":        {good, standalone, `it renews by authenticator "standalone"`, "-d " + fqdn, forced},
		"that nothing renews":    {good, "", `it renews by authenticator ""`, "-d " + fqdn, forced},
		"without intermediate":   {lone, webroot, "its chain lacks its issuer: the certificate alone", "-d " + fqdn, forced},
		"another's intermediate": {lone + foreignIssuer, webroot, "its chain lacks its issuer: certificates of CN=intermediate", "-d " + fqdn, forced},
		"torn behind the leaf":   {lone + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", webroot, "its chain lacks its issuer: the certificate alone", "-d " + fqdn, forced},
		"end of a short life":    {ending, webroot, "it ends 2026-11-23 13:00:00", "-d " + fqdn, forced},
		"half of a short life":   {half, webroot, "", "", ""},
		"other names are kept":   {both, webroot, "it ends 2026-12-03 12:00:00", "-d " + fqdn + " -d www.example.org", forced},
		"a comment says nothing": {good, "# authenticator = webroot\nauthenticator = standalone\n", `it renews by authenticator "standalone"`, "-d " + fqdn, forced},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.Dir("/var/lib"))
			if tt.chain != "" {
				m.Change(hosttest.File(live+"/fullchain.pem", tt.chain), hosttest.File(renewal, tt.renewal))
			}
			m.Host().Roots = ca.roots
			if tt.why == "" {
				again(t, lineage(), m)
				return
			}
			if lines := plan(t, lineage(), m).Lines(); len(lines) != 1 || !strings.HasSuffix(lines[0], "("+tt.why+")") {
				t.Errorf("planned %q, want the reason %q", lines, tt.why)
			}
			m.Handle("certbot-certonly", func(remedies.Command) ([]byte, error) {
				m.Change(hosttest.File(live+"/fullchain.pem", good), hosttest.File(renewal, webroot))
				return nil, nil
			})
			remedytest.Suite(t, lineage(), m)
			did := mend(t, lineage(), m)
			want := "certbot-certonly --webroot -w /var/lib/acme --cert-name " + fqdn + " " + tt.names +
				" --non-interactive --agree-tos --register-unsafely-without-email" + tt.mode
			same(t, "did", []string{want}, did)
			if n := m.Get("/var/lib/acme"); n == nil || n.Mode.Perm() != 0o755 {
				t.Errorf("webroot is %+v", n)
			}
			again(t, lineage(), m)
		})
	}
}

func TestCertLineageAccount(t *testing.T) {
	r := lineage()
	r.Server, r.Email = "https://acme.example/dir", "hm@example.org"
	did := mend(t, r, remedytest.New(hosttest.Dir("/var/lib")))
	if len(did) != 1 || !strings.Contains(did[0], " --server https://acme.example/dir ") || !strings.Contains(did[0], " -m hm@example.org ") {
		t.Errorf("did %q", did)
	}
}
