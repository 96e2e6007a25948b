// Package certs holds the probes of certificates, from certbot's lineage over
// Keycloak's copy to what is served, and of what renews them.
//
//	Lineage ─▶ Hook ─▶ Copy ─▶ Served, and PortEighty by which the lineage renews
package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of more than one probe.
const (
	Expiring     probes.Code = "cert.expiring"
	NameMismatch probes.Code = "cert.name-mismatch"
	KeyMismatch  probes.Code = "cert.key-mismatch"
)

const (
	slow    = 30 * time.Second
	timeout = 3 * time.Second
)

// The files of a lineage and of its copy.
const (
	chainFile = "fullchain.pem"
	keyFile   = "privkey.pem"
)

// renewBefore is when a certificate counts as expiring if nothing else is said:
// certbot renews 30 days before the end, and tries twice a day.
const renewBefore = 21 * 24 * time.Hour

// errNoCertificate says that a file holds no certificate that can be read.
var errNoCertificate = errors.New("no certificate in it")

// readChain reads the certificates of a PEM file, leaf first.
func readChain(h *host.Host, name string) ([]*x509.Certificate, error) {
	data, err := h.FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	chain, err := parseChain(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return chain, nil
}

func parseChain(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.Join(errNoCertificate, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errNoCertificate
	}
	return chain, nil
}

// expiring returns what to say of a certificate that is past its end, or nearer
// to it than before. Of a short-lived one a third of its life counts: a
// laboratory's lives for hours, and a day is coming when all do.
func expiring(c *x509.Certificate, now time.Time, before time.Duration) (want, got string) {
	if before == 0 {
		before = renewBefore
	}
	before = min(before, c.NotAfter.Sub(c.NotBefore)/3)
	if c.NotAfter.Sub(now) >= before {
		return "", ""
	}
	word := "ends "
	if now.After(c.NotAfter) {
		word = "ended "
	}
	return "good for another " + before.Round(time.Minute).String(), word + c.NotAfter.UTC().Format(time.RFC3339)
}

// named describes for whom a certificate is.
func named(c *x509.Certificate) string {
	if len(c.DNSNames) == 0 {
		return clip("no DNS name; subject " + c.Subject.String())
	}
	return clip(strings.Join(c.DNSNames, ", "))
}

// serial tells certificates of one name apart, as openssl prints it.
func serial(c *x509.Certificate) string {
	return fmt.Sprintf("serial %X, from %s", c.SerialNumber, c.NotBefore.UTC().Format(time.RFC3339))
}

// clip bounds what comes from outside, so that evidence stays below its limit.
func clip(s string) string {
	const most = 300
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
