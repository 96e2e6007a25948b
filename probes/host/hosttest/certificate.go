package hosttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// A Certificate is made up, with its key and what stands behind it.
type Certificate struct {
	Leaf *x509.Certificate
	Key  *ecdsa.PrivateKey
	// Chain is the leaf and its issuers in DER, as a server sends them: without
	// the one that has signed itself.
	Chain [][]byte
}

// Sign makes a certificate with a new key. A nil issuer makes it sign itself.
// Unless the template says otherwise it has a number of its own and is good from
// 1970 until ten years after [Noon].
func Sign(template x509.Certificate, by *Certificate) *Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("hosttest: %v", err))
	}
	if template.SerialNumber == nil {
		if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
			panic(fmt.Sprintf("hosttest: %v", err))
		}
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Unix(0, 0)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = Noon.AddDate(10, 0, 0)
	}
	if template.IsCA {
		template.BasicConstraintsValid, template.KeyUsage = true, template.KeyUsage|x509.KeyUsageCertSign
	}
	c := &Certificate{Key: key}
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.Leaf, by.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	if err != nil {
		panic(fmt.Sprintf("hosttest: %v", err))
	}
	if c.Leaf, err = x509.ParseCertificate(der); err != nil {
		panic(fmt.Sprintf("hosttest: %v", err))
	}
	c.Chain = [][]byte{der}
	if by != nil && by.Leaf.CheckSignatureFrom(by.Leaf) != nil {
		c.Chain = append(c.Chain, by.Chain...)
	}
	return c
}

// Pool trusts the certificate and nothing else.
func (c *Certificate) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return pool
}

// PEM is the content of fullchain.pem and privkey.pem.
func (c *Certificate) PEM() (chain, key string) {
	for _, der := range c.Chain {
		chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		panic(fmt.Sprintf("hosttest: %v", err))
	}
	return chain, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Config is a server's that shows the certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: c.Chain, PrivateKey: c.Key}}}
}
