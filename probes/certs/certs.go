// Package certs holds the probes of certificates, from certbot's lineage over
// Keycloak's copy to what is served, and of what renews them.
//
//	Lineage ─▶ Hook ─▶ Copy ─▶ Served, and PortEighty by which the lineage renews
package certs

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/certchain"
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

// readChain reads the certificates of a PEM file, leaf first.
func readChain(h *host.Host, name string) ([]*x509.Certificate, error) {
	data, err := h.FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	chain, err := certchain.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return chain, nil
}

// expiring returns what to say of a certificate that is past its end, or nearer
// to it than [certchain.MustLast] allows.
func expiring(c *x509.Certificate, now time.Time, before time.Duration) (want, got string) {
	before = certchain.MustLast(c, before)
	if c.NotAfter.Sub(now) >= before {
		return "", ""
	}
	word := "ends "
	if now.After(c.NotAfter) {
		word = "ended "
	}
	return "good for another " + days(before), word + c.NotAfter.UTC().Format(time.RFC3339)
}

// days is a time as people speak of it: "21 days", "2h30m0s".
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", d/day)
}

// named describes for whom a certificate is.
func named(c *x509.Certificate) string {
	if len(c.DNSNames) == 0 {
		return probes.Clip("no DNS name; subject " + c.Subject.String())
	}
	return probes.Clip(strings.Join(c.DNSNames, ", "))
}

// serial tells certificates of one name apart, as openssl prints it.
func serial(c *x509.Certificate) string {
	return fmt.Sprintf("serial %X, from %s", c.SerialNumber, c.NotBefore.UTC().Format(time.RFC3339))
}
