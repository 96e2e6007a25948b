package remedies

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"watchdog/probes/format/certchain"
	"watchdog/probes/host"
)

// CertCopy gives Keycloak its own copy of the lineage, which only root may
// read. The pair is proved before anything is written and the key goes first:
// a server that reads between the two keeps its old pair, where the other order
// would make it serve one that does not fit. Keycloak reads both again within
// its reload period and is not restarted.
type CertCopy struct {
	Name   string // the public name, and the lineage's
	Server KeycloakServer
}

// Spec implements [Remedy].
func (r CertCopy) Spec() Spec {
	return Spec{ID: "certs.copy", Summary: "copy the certificate and its key for Keycloak", Timeout: time.Minute}
}

// Plan implements [Remedy].
func (r CertCopy) Plan(_ context.Context, h *host.Host) (Plan, error) {
	p := Plan{}
	lineage := letsencrypt + "/live/" + r.Name
	chain, err := h.FS.ReadFile(lineage + "/fullchain.pem")
	if err == nil {
		var key []byte
		if key, err = h.FS.ReadFile(lineage + "/privkey.pem"); err == nil {
			if err := checkPair(h, chain, key, r.Name); err != nil {
				return Plan{}, fmt.Errorf("check the pair in %s: %w", lineage, err)
			}
			p.Edits, err = r.pair(h, chain, key)
			return p, err
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("read the certificate: %w", err)
	}
	p.Waits = []string{"a certificate for " + r.Name}
	p.Edits, err = r.Server.dirs(h)
	return p, err
}

// checkPair reports why a server of that name could not use the pair, or its
// clients would refuse it.
func checkPair(h *host.Host, chain, key []byte, name string) error {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return err
	}
	if err := pair.Leaf.VerifyHostname(name); err != nil {
		return err
	}
	certs, err := certchain.Parse(chain)
	if err != nil {
		return err
	}
	if lacks := certchain.Incomplete(certs, h.Roots, h.Now()); lacks != "" {
		return fmt.Errorf("its chain lacks its issuer: %s", lacks)
	}
	return nil
}

// pair returns the edits that make this pair Keycloak's.
func (r CertCopy) pair(h *host.Host, chain, key []byte) ([]Edit, error) {
	edits, err := r.Server.dirs(h)
	if err != nil {
		return nil, err
	}
	user := r.Server.User
	keyPath := r.Server.certs() + "/privkey.pem"
	hide := []host.Secret{host.NewSecret(string(key))}
	if old, err := h.FS.Node(keyPath); err != nil {
		return nil, err
	} else if old != nil {
		hide = append(hide, host.NewSecret(string(old.Data)))
	}
	e, err := Converge(h, keyPath, File(key, user, user, 0o600), hide...)
	if err != nil {
		return nil, err
	}
	edits = append(edits, e...)
	e, err = Converge(h, r.Server.certs()+"/fullchain.pem", File(chain, user, user, 0o640))
	return append(edits, e...), err
}
