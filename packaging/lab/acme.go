package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	pebbleModule  = "github.com/letsencrypt/pebble/v2/cmd/pebble"
	pebbleVersion = "v2.10.1"

	certificateLife = 90 * 24 * time.Hour
)

func (l *Lab) pebble() string { return l.cached("bin", "pebble-"+pebbleVersion) }

// prepareACME writes what pebble starts from: a lab CA that dies with the lab, a
// certificate for pebble's own listener signed by it, and pebble's configuration.
func (l *Lab) prepareACME() error {
	if err := os.MkdirAll(l.state("acme"), 0o700); err != nil {
		return fmt.Errorf("prepare the ACME server: %w", err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the lab's CA: %w", err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "watchdog lab CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return fmt.Errorf("make the lab's CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the ACME server's key: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: acmeName},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: []string{acmeName}, IPAddresses: []net.IP{net.ParseIP(serviceHub)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("make the ACME server's certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make the ACME server's key: %w", err)
	}
	config, err := pebbleConfig()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"lab-ca.pem":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		"acme.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
		"acme.key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		"pebble.json": config,
	} {
		if err := os.WriteFile(l.state("acme", name), data, 0o600); err != nil {
			return fmt.Errorf("prepare the ACME server: %w", err)
		}
	}
	return nil
}

func pebbleConfig() ([]byte, error) {
	type m map[string]any
	return json.MarshalIndent(m{"pebble": m{
		"listenAddress": "[" + serviceHub + "]:14000", "managementListenAddress": "[" + serviceHub + "]:15000",
		"certificate": "acme.pem", "privateKey": "acme.key", "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
		"externalAccountBindingRequired": false, "retryAfter": m{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": m{"default": m{"description": "lab", "validityPeriod": int(certificateLife.Seconds())}},
	}}, "", " ")
}

// startPebble starts the ACME server in the router's namespace.
func (l *Lab) startPebble(log io.Writer) (*exec.Cmd, error) {
	_ = os.Remove(l.state("acme", "issued-root.pem")) // each start makes a new issuing root
	c := exec.Command(l.pebble(), "-config", "pebble.json", "-dnsserver", "["+nameServer+"]:53")
	c.Dir = l.state("acme")
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// No sleeps, no invented bad nonces; and no reuse of authorisations, or a
	// renewal whose challenge is broken would succeed by luck.
	c.Env = append(l.environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	err := within(l.namespace(router), c.Start)
	if err != nil {
		return nil, fmt.Errorf("start the ACME server: %w", err)
	}
	return c, nil
}

// fetchIssuingRoot keeps the root that signs issued certificates beside the CA.
func (l *Lab) fetchIssuingRoot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ca, err := os.ReadFile(l.state("acme", "lab-ca.pem"))
	if err != nil {
		return fmt.Errorf("read the lab's CA: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{DialContext: dialWithin(l.namespace(router)), TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	var last error
	err = until(ctx, 30*time.Millisecond, func() (bool, error) {
		var data []byte
		data, last = get(ctx, c, "https://["+serviceHub+"]:15000/roots/0")
		if last != nil {
			return false, nil
		}
		next := l.state("acme", ".issued-root.pem")
		if err := os.WriteFile(next, data, 0o644); err != nil {
			return false, err
		}
		return true, os.Rename(next, l.state("acme", "issued-root.pem"))
	})
	if err != nil {
		return fmt.Errorf("fetch the ACME server's issuing root: %w (last: %v)", err, last)
	}
	return nil
}

func get(ctx context.Context, c *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}
