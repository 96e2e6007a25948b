package keycloak

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const (
	name      = "idp.example.org"
	base      = "https://" + name
	issuer    = base + "/realms/breath"
	local     = "[::1]:8443"
	publicly  = "[2001:db8::1]:443"
	mgmt      = "[::1]:9000"
	discovery = "/realms/breath/.well-known/openid-configuration"
)

// authority is a CA of this test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// serves makes the settings of a listener with a certificate for dns.
func (a authority) serves(t *testing.T, dns string, ends time.Time) *tls.Config {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{dns}, NotBefore: time.Unix(0, 0), NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// trusting is a probe on a host that trusts the test's CA.
type trusting struct {
	probes.Probe
	roots *x509.CertPool
}

func (a authority) trusted(p probes.Probe) trusting {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return trusting{p, roots}
}

func (p trusting) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if h.Roots == nil {
		h.Roots = p.roots
	}
	return p.Probe.Observe(ctx, h)
}

// says answers every request alike.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// stops ends the TLS handshake without a word, as NGINX does whose upstream is
// dead.
func stops(c net.Conn) { _, _ = c.Read(make([]byte, 1024)) }

// fails answers a dial as the kernel does.
func fails(address string, e syscall.Errno) hosttest.Option {
	return hosttest.Refuse(address, os.NewSyscallError("connect", e))
}

func serve(address string, c *tls.Config, h http.Handler) []hosttest.Option {
	return []hosttest.Option{hosttest.Serve(address, hosttest.HTTPS(c, h))}
}
