package remedies_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
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
	intermediate *x509.Certificate
	key          *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate; a nil parent makes it sign itself.
func sign(t *testing.T, c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent, by = c, key
	}
	c.SerialNumber = big.NewInt(hosttest.Noon.Unix())
	c.NotBefore = hosttest.Noon.Add(-24 * time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = hosttest.Noon.AddDate(5, 0, 0)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	rootKey, key := newKey(t), newKey(t)
	root := sign(t, ca("root"), nil, rootKey, nil)
	a := authority{x509.NewCertPool(), sign(t, ca("intermediate"), root, key, rootKey), key}
	a.roots.AddCert(root)
	return a
}

// issue returns the chain and the key of a new certificate, in PEM.
func (a authority) issue(t *testing.T, until time.Time, names ...string) (chain, key string) {
	t.Helper()
	k := newKey(t)
	leaf := sign(t, &x509.Certificate{DNSNames: names, NotAfter: until}, a.intermediate, k, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", leaf.Raw) + block("CERTIFICATE", a.intermediate.Raw), block("PRIVATE KEY", der)
}

// config is a server's that has a certificate of the authority.
func (a authority) config(t *testing.T, name string) *tls.Config {
	t.Helper()
	// Clients look at their own clock.
	chain, key := a.issue(t, time.Now().AddDate(10, 0, 0), name)
	pair, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
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
	ca := newAuthority(t)
	day := func(n int) time.Time { return hosttest.Noon.AddDate(0, 0, n) }
	good, _ := ca.issue(t, day(60), fqdn)
	expiring, _ := ca.issue(t, day(10), fqdn)
	expired, _ := ca.issue(t, day(-1), fqdn)
	foreign, _ := ca.issue(t, day(60), "other.example.org")
	both, _ := ca.issue(t, day(10), fqdn, "www.example.org")
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
		"without intermediate":   {lone, webroot, "its chain lacks the intermediate", "-d " + fqdn, forced},
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
