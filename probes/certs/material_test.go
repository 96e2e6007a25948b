package certs

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

const (
	name    = "idp.breathtechnology.co.uk"
	live    = "/etc/letsencrypt/live/" + name
	copies  = "/etc/keycloak/certs"
	address = "[::1]:8443"
	day     = 24 * time.Hour
)

var public = netip.MustParseAddr("2a02:8012:bc57:cafe::babe")

// A pairOf is a certificate with its files.
type pairOf struct {
	*hosttest.Certificate
	chain, key []byte // PEM, leaf first
}

// An authority signs certificates by an intermediate of its own.
type authority struct{ root, between *pairOf }

func newAuthority() *authority {
	a := &authority{}
	ca := func(cn string, by *pairOf) *pairOf {
		return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true}, by)
	}
	a.root = ca("Test Root", nil)
	a.between = ca("Test Intermediate", a.root)
	return a
}

func (a *authority) sign(template *x509.Certificate, by *pairOf) *pairOf {
	issuer := (*hosttest.Certificate)(nil)
	if by != nil {
		issuer = by.Certificate
	}
	made := hosttest.Sign(*template, issuer)
	chain, key := made.PEM()
	return &pairOf{made, []byte(chain), []byte(key)}
}

// leaf issues a certificate of 90 days with that much left.
func (a *authority) leaf(left time.Duration, names ...string) *pairOf {
	return a.lasting(90*day, left, names...)
}

func (a *authority) lasting(life, left time.Duration, names ...string) *pairOf {
	end := hosttest.Noon.Add(left)
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: end.Add(-life), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.between)
}

// lineage is certbot's directory: links into its archive.
func lineage(p *pairOf) []hosttest.Option {
	return []hosttest.Option{
		hosttest.File("/etc/letsencrypt/archive/"+name+"/fullchain1.pem", string(p.chain)),
		hosttest.Link(live+"/fullchain.pem", "../../archive/"+name+"/fullchain1.pem"),
		hosttest.Link(live+"/privkey.pem", "../../archive/"+name+"/privkey1.pem"),
	}
}

// owned is a file or directory of somebody's.
func owned(path string, mode fs.FileMode, owner, group string, data []byte) hosttest.Option {
	return hosttest.Node(path, &host.Node{Mode: mode, Owner: owner, Group: group, Data: data})
}

// copied is Keycloak's copy as the site wants it, of a chain and a key.
func copied(chain, key []byte) []hosttest.Option {
	return []hosttest.Option{
		owned("/etc/keycloak", fs.ModeDir|0o750, "root", "keycloak", nil),
		owned(copies, fs.ModeDir|0o750, "keycloak", "keycloak", nil),
		owned(copies+"/fullchain.pem", 0o640, "keycloak", "keycloak", chain),
		owned(copies+"/privkey.pem", 0o600, "keycloak", "keycloak", key),
	}
}

// serving is a TLS server that shows a chain and signs with a key, its own or
// not.
func serving(version uint16, chain, key *pairOf) hosttest.Option {
	config := &tls.Config{MaxVersion: version, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: chain.Chain, PrivateKey: key.Key}, nil
	}}
	return hosttest.Serve("tcp6 "+address, func(c net.Conn) { _ = tls.Server(c, config).Handshake() })
}

// machine puts parts of a machine together.
func machine(parts ...[]hosttest.Option) []hosttest.Option {
	var out []hosttest.Option
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func one(o hosttest.Option) []hosttest.Option { return []hosttest.Option{o} }
