package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"watchdog/probes"
	"watchdog/probes/format/certchain"
	"watchdog/probes/host"
)

// The codes of [Copy] alone.
const (
	CopyMissing      probes.Code = "cert.copy-missing"
	CopyUnreadable   probes.Code = "cert.copy-unreadable"
	KeyWorldReadable probes.Code = "cert.key-world-readable"
	CopyStale        probes.Code = "cert.copy-stale"
)

// pair is the subject where certificate and key are at fault together.
const pair = "pair"

// Copy is the probe cert.copy: the certificate and key that Keycloak reads,
// against the lineage they are copied from.
type Copy struct {
	Dir     string // /etc/keycloak/certs
	Lineage string // /etc/letsencrypt/live/NAME
	User    string // whom Keycloak runs as; its group has the same name
}

// Spec implements [probes.Probe].
func (p Copy) Spec() probes.Spec {
	return probes.Spec{
		ID:      "cert.copy",
		Summary: "Keycloak's copy of the certificate: there, readable, secret, a pair, and the newest",
		Codes:   []probes.Code{CopyMissing, CopyUnreadable, KeyWorldReadable, KeyMismatch, CopyStale, ChainIncomplete},
		Every:   slow,
		Timeout: timeout,
		Wakes: []probes.Wake{
			{Kind: probes.WakeFile, Name: p.Dir + "/" + chainFile}, {Kind: probes.WakeFile, Name: p.Dir + "/" + keyFile},
			{Kind: probes.WakeFile, Name: p.Lineage + "/" + chainFile},
		},
	}
}

// Observe implements [probes.Probe].
func (p Copy) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	chain, err := reach(h, p.Dir+"/"+chainFile, p.User)
	if err != nil {
		return nil, err
	}
	key, err := reach(h, p.Dir+"/"+keyFile, p.User)
	if err != nil {
		return nil, err
	}
	var found []probes.Finding
	switch {
	case chain.node == nil && key.node == nil:
		return p.missing(pair, "nothing", chain, key), nil
	case chain.node == nil:
		found = p.missing(chainFile, "no such file", chain)
	case key.node == nil:
		found = p.missing(keyFile, "no such file", key)
	}
	found = append(found, p.unreadable(chain, key)...)
	if key.node != nil && key.node.Mode.IsRegular() {
		found = append(found, p.open(key)...)
	}
	if chain.node == nil || key.node == nil {
		return found, nil
	}
	content, err := p.content(h, chain, key)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	return append(found, content...), nil
}

func (p Copy) missing(subject, got string, files ...place) []probes.Finding {
	f := probes.Finding{Code: CopyMissing, Subject: subject, Summary: "Keycloak's copy of the certificate is not there: " + p.Dir}
	for _, file := range files {
		f.Evidence = append(f.Evidence, probes.Evidence{Source: file.name, Want: "a copy of " + p.Lineage, Got: got, Command: "ls -la " + p.Dir})
	}
	return []probes.Finding{f}
}

// unreadable finds files that are there and that Keycloak can't open. A
// directory in the way befalls both.
func (p Copy) unreadable(files ...place) []probes.Finding {
	f := probes.Finding{Code: CopyUnreadable, Summary: "user " + p.User + " can't read its certificate in " + p.Dir}
	for _, file := range files {
		if file.node == nil || file.barred == "" {
			continue
		}
		if f.Subject == "" {
			f.Subject = file.base()
		} else {
			f.Subject = pair
		}
		e := probes.Evidence{Source: file.barred, Want: "readable for " + p.User, Got: file.why, Command: "ls -ld " + file.barred}
		if len(f.Evidence) == 0 || f.Evidence[0] != e {
			f.Evidence = append(f.Evidence, e)
		}
	}
	if f.Subject == "" {
		return nil
	}
	return []probes.Finding{f}
}

// open finds a key that others can read.
func (p Copy) open(key place) []probes.Finding {
	n := key.node
	strangers := n.Mode.Perm()&0o007 != 0
	if n.Group != p.User && n.Group != "root" {
		strangers = strangers || n.Mode.Perm()&0o070 != 0
	}
	if !strangers {
		return nil
	}
	return []probes.Finding{{
		Code: KeyWorldReadable, Subject: keyFile, Summary: "Keycloak's private key is open to others than " + p.User,
		Evidence: []probes.Evidence{{Source: key.name, Want: "0600 " + p.User, Got: modeOf(n), Command: "ls -l " + key.name}},
	}}
}

// content judges what is in the files: whether they are a pair, and the
// lineage's. An old certificate beside a new key is told of as what it does:
// the two don't fit, and every handshake fails.
func (p Copy) content(h *host.Host, chain, key place) ([]probes.Finding, error) {
	if why := misfit(chain.data, key.data); why != "" {
		return []probes.Finding{{
			Code: KeyMismatch, Subject: pair, Summary: "key and certificate in " + p.Dir + " are not a pair",
			Evidence: []probes.Evidence{{Source: key.name, Want: "the key of " + chain.name, Got: why,
				Command: "openssl pkey -in " + key.name + " -pubout | diff - <(openssl x509 -in " + chain.name + " -noout -pubkey)"}},
		}}, nil
	}
	want, err := readChain(h, p.Lineage+"/"+chainFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, certchain.ErrNone) {
		return nil, nil // probe cert.lineage's to tell
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	have, err := certchain.Parse(chain.data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", chain.name, err)
	}
	return p.compare(h, chain.name, have, want), nil
}

// compare judges the copy's certificates by certbot's. Where those lack their
// issuer they are nothing to go by: that is probe cert.lineage's to tell.
func (p Copy) compare(h *host.Host, name string, have, want []*x509.Certificate) []probes.Finding {
	f := probes.Finding{Code: CopyStale, Subject: pair, Summary: "Keycloak's copy is not the certificate that certbot holds"}
	e := probes.Evidence{Source: name, Want: serial(want[0]), Got: serial(have[0]), Command: "cmp " + p.Lineage + "/" + chainFile + " " + name}
	lacks := func(chain []*x509.Certificate) string { return certchain.Incomplete(chain, h.Roots, h.Now()) }
	switch got := lacks(have); {
	case !have[0].Equal(want[0]):
	case slices.EqualFunc(have, want, (*x509.Certificate).Equal), lacks(want) != "":
		return nil
	case got != "":
		f.Code, f.Subject, f.Summary = ChainIncomplete, chainFile, "Keycloak's copy of the certificate lacks its issuer's"
		e.Want, e.Got = "the issuer's certificate "+probes.Clip(have[0].Issuer.String()), probes.Clip(got)
	default: // the same certificate and key, but not its issuers
		f.Subject, f.Summary = chainFile, "Keycloak's copy has another chain behind its certificate than certbot's"
		e.Want, e.Got = fmt.Sprintf("a chain of %d certificates", len(want)), fmt.Sprintf("%d, or others", len(have))
	}
	f.Evidence = []probes.Evidence{e}
	return []probes.Finding{f}
}

// misfit says why a certificate and a key are not a pair, or nothing.
func misfit(chain, key []byte) string {
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return probes.Clip(err.Error())
	}
	return ""
}
