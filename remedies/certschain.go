package remedies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"

	"watchdog/probes/host"
)

// CertChain puts the issuer's certificate back behind the site's, in certbot's
// lineage and in Keycloak's copy of it. Certbot keeps the parts of a lineage
// beside the whole, so that as a rule nothing has to be ordered for it.
type CertChain struct {
	Lineage CertLineage
	Copy    CertCopy
}

// Spec implements [Remedy].
func (r CertChain) Spec() Spec {
	return Spec{ID: "certs.chain", Summary: "put the issuer's certificate behind the site's", Timeout: 5 * time.Minute}
}

// Plan implements [Remedy].
func (r CertChain) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	o, err := r.Lineage.order(h)
	switch {
	case err != nil:
		return Plan{}, err
	case o == nil:
		return r.Copy.Plan(ctx, h)
	case !o.chain:
		return Plan{Steps: []Step{*o}}, nil
	}
	edits, whole, err := r.Lineage.rejoin(h)
	if err != nil {
		return Plan{}, err
	}
	if whole == nil {
		return Plan{Steps: []Step{*o}}, nil // the renewal hook copies it
	}
	key, err := h.FS.ReadFile(r.Lineage.live() + "/privkey.pem")
	if err != nil {
		return Plan{}, fmt.Errorf("read the certificate: %w", err)
	}
	copied, err := r.Copy.pair(h, whole, key)
	return Plan{Edits: append(edits, copied...)}, err
}

// certPart is where a lineage's cert.pem leads to: the directory of its archive,
// and the number of the certificate.
var certPart = regexp.MustCompile(`^(.*/)cert(\d+\.pem)$`)

// rejoin returns the edits that make fullchain.pem of a lineage what certbot made
// it, from the certificate and the chain that it keeps beside it, and what is in
// it then; nil when these are no help.
func (r CertLineage) rejoin(h *host.Host) (edits []Edit, whole []byte, err error) {
	link, err := h.FS.Node(r.live() + "/cert.pem")
	if err != nil || link == nil || link.Mode.Type() != fs.ModeSymlink {
		return nil, nil, err
	}
	m := certPart.FindStringSubmatch(string(link.Data))
	if m == nil {
		return nil, nil, nil
	}
	archive := m[1]
	if !path.IsAbs(archive) {
		archive = path.Join(r.live(), archive)
	}
	for _, part := range []string{"cert", "chain"} {
		data, err := h.FS.ReadFile(path.Join(archive, part+m[2]))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, nil
		case err != nil:
			return nil, nil, fmt.Errorf("read the parts of the certificate: %w", err)
		}
		whole = append(whole, data...)
	}
	key, err := h.FS.ReadFile(r.live() + "/privkey.pem")
	if err != nil {
		return nil, nil, fmt.Errorf("read the certificate: %w", err)
	}
	if checkPair(h, whole, key, r.Name) != nil {
		return nil, nil, nil
	}
	file := path.Join(archive, "fullchain"+m[2])
	old, err := h.FS.Node(file)
	if err != nil {
		return nil, nil, err
	}
	if want := File(whole, "root", "root", 0o644); old == nil || !bytes.Equal(old.Data, whole) {
		edits = append(edits, Write{Path: file, Old: old, New: want})
	}
	e, err := Converge(h, r.live()+"/fullchain.pem", Link(m[1]+"fullchain"+m[2]))
	return append(edits, e...), whole, err
}
