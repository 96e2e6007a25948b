// Package certchain reads the certificates of a PEM file, leaf first, and judges
// what those who look and those who renew have to judge alike: how long one must
// still be good for, and whether its issuer stands behind it.
//
//	chain, err := certchain.Parse(data)
//	if chain[0].NotAfter.Sub(now) < certchain.MustLast(chain[0], 0) { … }
package certchain

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"
)

// ErrNone says that there is no certificate.
var ErrNone = errors.New("no certificate in it")

// Parse returns the certificates at the start of data; what can't be parsed ends
// it. Blocks of other kinds, as keys, are passed over. With none it is [ErrNone].
func Parse(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	unreadable := error(nil)
	for block, rest := pem.Decode(data); block != nil && unreadable == nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		var c *x509.Certificate
		if c, unreadable = x509.ParseCertificate(block.Bytes); unreadable == nil {
			chain = append(chain, c)
		}
	}
	if len(chain) == 0 {
		return nil, errors.Join(ErrNone, unreadable)
	}
	return chain, nil
}

// renewBefore is how long a certificate must still be good for if nothing else
// is said: certbot renews 30 days before the end, and tries twice a day.
const renewBefore = 21 * 24 * time.Hour

// MustLast is the time for which a certificate must still be good, or renewals
// have failed: before, three weeks when that is zero, and never more than a
// third of its life. A laboratory's lives for hours, and a day is coming when
// all do.
func MustLast(c *x509.Certificate, before time.Duration) time.Duration {
	if before == 0 {
		before = renewBefore
	}
	return min(before, c.NotAfter.Sub(c.NotBefore)/3)
}

// Incomplete says what stands behind the leaf in place of its issuer, or nothing
// when that is there or not needed: a leaf that one of the roots has signed
// itself needs none; nil are the system's. Whether the roots trust the issuer is
// another question, which no other chain would answer better.
func Incomplete(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) string {
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
	return "certificates of " + chain[1].Subject.String()
}
