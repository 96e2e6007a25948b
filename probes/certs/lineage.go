package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Lineage] alone.
const (
	Missing         probes.Code = "cert.missing"
	ChainIncomplete probes.Code = "cert.chain-incomplete"
)

// Lineage is the probe cert.lineage: the certificate that certbot holds.
type Lineage struct {
	Name string // the public name, and the lineage's
	Dir  string // /etc/letsencrypt/live/NAME
	// RenewBefore is how long it must still be good for; zero means three
	// weeks, and never more than a third of its life.
	RenewBefore time.Duration
}

// Spec implements [probes.Probe].
func (p Lineage) Spec() probes.Spec {
	return probes.Spec{
		ID:      "cert.lineage",
		Summary: "certbot's certificate for " + p.Name,
		Codes:   []probes.Code{Missing, Expiring, NameMismatch, ChainIncomplete},
		Every:   slow,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: p.Dir + "/" + chainFile}},
	}
}

// Observe implements [probes.Probe].
func (p Lineage) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := p.Dir + "/" + chainFile
	chain, err := readChain(h, name)
	if errors.Is(err, fs.ErrNotExist) {
		return p.find(nil, Missing, "there is no certificate for "+p.Name, name, "a certificate", "no such file"), nil
	}
	if errors.Is(err, errNoCertificate) {
		return p.find(nil, Missing, "there is no certificate for "+p.Name, name, "a certificate", errNoCertificate.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	leaf := chain[0]
	var found []probes.Finding
	if want, got := expiring(leaf, h.Now(), p.RenewBefore); want != "" {
		found = p.find(found, Expiring, "certbot's certificate for "+p.Name+" "+got, name, want, got)
	}
	if leaf.VerifyHostname(p.Name) != nil {
		found = p.find(found, NameMismatch, "certbot's certificate is not for "+p.Name, name, p.Name, named(leaf))
	}
	if got := incomplete(chain, h.Roots, h.Now()); got != "" {
		found = p.find(found, ChainIncomplete, "certbot's certificate lacks its issuer's", name, "the issuer's certificate "+clip(leaf.Issuer.String()), got)
	}
	return found, nil
}

func (p Lineage) find(found []probes.Finding, code probes.Code, summary, source, want, got string) []probes.Finding {
	return append(found, probes.Finding{Code: code, Subject: p.Name, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "openssl x509 -in " + source + " -noout -text"},
	}})
}

// incomplete says what stands behind the leaf in place of its issuer, or
// nothing when that is there or not needed: a leaf that a root has signed
// itself needs none. Whether the roots of this host trust the issuer is another
// question, which no other chain would answer better.
func incomplete(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) string {
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		if leaf.CheckSignatureFrom(c) == nil {
			return ""
		}
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var unknown x509.UnknownAuthorityError
	switch {
	case !errors.As(err, &unknown):
		return ""
	case len(chain) == 1:
		return "the certificate alone"
	}
	return clip("certificates of " + chain[1].Subject.String())
}
