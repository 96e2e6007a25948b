package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"watchdog/probes"
	"watchdog/probes/format/certchain"
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
	if errors.Is(err, certchain.ErrNone) {
		return p.find(nil, Missing, "there is no certificate for "+p.Name, name, "a certificate", certchain.ErrNone.Error()), nil
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
	if got := certchain.Incomplete(chain, h.Roots, h.Now()); got != "" {
		found = p.find(found, ChainIncomplete, "certbot's certificate lacks its issuer's", name, "the issuer's certificate "+probes.Clip(leaf.Issuer.String()), probes.Clip(got))
	}
	return found, nil
}

func (p Lineage) find(found []probes.Finding, code probes.Code, summary, source, want, got string) []probes.Finding {
	return append(found, probes.Finding{Code: code, Subject: p.Name, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "openssl x509 -in " + source + " -noout -text"},
	}})
}
