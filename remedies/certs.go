package remedies

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"watchdog/probes/format/certchain"
	"watchdog/probes/host"
)

// letsencrypt is certbot's directory.
const letsencrypt = "/etc/letsencrypt"

// CertLineage has certbot hold a certificate for the host's public name that
// renews itself through the webroot of the running NGINX. A lineage made with
// --standalone is issued again: its renewals would find port 80 taken.
type CertLineage struct {
	Name    string // the public name, and the lineage's
	Server  string // ACME directory URL; empty means certbot's default
	Email   string // empty registers without one
	Webroot string // directory that is served below /.well-known/acme-challenge/
	// RenewBefore is the least time a certificate must still be good for, as
	// [certchain.MustLast] bounds it.
	RenewBefore time.Duration
}

// Spec implements [Remedy].
func (r CertLineage) Spec() Spec {
	return Spec{ID: "certs.lineage", Summary: "get a certificate for " + r.Name, Timeout: 5 * time.Minute}
}

// Plan implements [Remedy]. A chain whose parts are there is put together again,
// and nothing ordered.
func (r CertLineage) Plan(_ context.Context, h *host.Host) (Plan, error) {
	o, err := r.order(h)
	if err != nil || o == nil {
		return Plan{}, err
	}
	if o.chain {
		if edits, whole, err := r.rejoin(h); err != nil || whole != nil {
			return Plan{Edits: edits}, err
		}
	}
	return Plan{Steps: []Step{*o}}, nil
}

// live is certbot's directory of the lineage.
func (r CertLineage) live() string { return letsencrypt + "/live/" + r.Name }

// order returns what is to be ordered, nil when the lineage is as it should be.
func (r CertLineage) order(h *host.Host) (*certOrder, error) {
	o := &certOrder{lineage: r, names: []string{r.Name}}
	chain, err := readChain(h, r.live()+"/fullchain.pem")
	switch {
	case err != nil:
		return nil, err
	case len(chain) == 0:
		o.why = "there is none"
		return o, nil
	}
	leaf := chain[0]
	// Certbot keeps a lineage it takes for good, whatever we think of it.
	o.force = true
	renewal, err := h.FS.ReadFile(letsencrypt + "/renewal/" + r.Name + ".conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read how the certificate renews: %w", err)
	}
	named := leaf.VerifyHostname(r.Name) == nil
	if named {
		// A lineage of several names was made so by somebody who uses them.
		for _, name := range leaf.DNSNames {
			if !slices.Contains(o.names, name) {
				o.names = append(o.names, name)
			}
		}
	}
	authenticator := authenticatorOf(renewal)
	left, behind := leaf.NotAfter.Sub(h.Now()), certchain.Incomplete(chain, h.Roots, h.Now())
	switch {
	case !named:
		o.why = "it is for " + strings.Join(leaf.DNSNames, ", ")
	case left < certchain.MustLast(leaf, r.RenewBefore):
		o.why = "it ends " + leaf.NotAfter.UTC().Format(time.DateTime)
	case authenticator != "webroot":
		o.why = fmt.Sprintf("it renews by authenticator %q", authenticator)
	case behind != "":
		o.why, o.chain = "its chain lacks its issuer: "+behind, true
	default:
		return nil, nil
	}
	return o, nil
}

// readChain reads the certificates of a PEM file, leaf first. A file that does
// not exist, or holds no certificate, has none and is no error.
func readChain(h *host.Host, path string) ([]*x509.Certificate, error) {
	data, err := h.FS.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	chain, err := certchain.Parse(data)
	if errors.Is(err, certchain.ErrNone) {
		return nil, nil
	}
	return chain, err
}

var authenticatorLine = regexp.MustCompile(`(?m)^[ \t]*authenticator[ \t]*=[ \t]*(\S+)[ \t]*$`)

// authenticatorOf reads a renewal file of certbot's; "" when it says none.
func authenticatorOf(renewal []byte) string {
	m := authenticatorLine.FindSubmatch(renewal)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// certOrder is the step of one order at the authority.
type certOrder struct {
	lineage CertLineage
	names   []string
	force   bool
	why     string
	chain   bool // nothing but its chain is wrong
}

func (o certOrder) String() string {
	return fmt.Sprintf("order a certificate for %s (%s)", strings.Join(o.names, ", "), o.why)
}

// Done implements [Step].
func (o certOrder) Done(_ context.Context, h *host.Host) (bool, error) {
	now, err := o.lineage.order(h)
	return now == nil, err
}

// Do implements [Step].
func (o certOrder) Do(ctx context.Context, w Hands, h *host.Host) error {
	r := o.lineage
	// Certbot makes the challenge's directories, but not the webroot.
	if n, err := h.FS.Node(r.Webroot); err != nil {
		return err
	} else if n == nil {
		if err := w.Write(ctx, r.Webroot, nil, Directory("root", "root", 0o755)); err != nil {
			return err
		}
	}
	_, err := w.Run(ctx, Command{Name: "certbot-certonly", Args: o.args()})
	return err
}

// args are certbot's arguments after "certonly".
func (o certOrder) args() []string {
	r := o.lineage
	args := []string{"--webroot", "-w", r.Webroot, "--cert-name", r.Name}
	for _, name := range o.names {
		args = append(args, "-d", name)
	}
	if r.Server != "" {
		args = append(args, "--server", r.Server)
	}
	args = append(args, "--non-interactive", "--agree-tos")
	if r.Email != "" {
		args = append(args, "-m", r.Email)
	} else {
		args = append(args, "--register-unsafely-without-email")
	}
	if o.force {
		return append(args, "--force-renewal", "--renew-with-new-domains")
	}
	return append(args, "--keep-until-expiring")
}
