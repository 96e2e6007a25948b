package certchain_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"

	"watchdog/probes/format/certchain"
	"watchdog/probes/host/hosttest"
)

var noon = hosttest.Noon

// authority is a certificate that may sign others.
func authority(cn string, by *hosttest.Certificate) *hosttest.Certificate {
	return hosttest.Sign(x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true}, by)
}

func server(by *hosttest.Certificate) *hosttest.Certificate {
	return hosttest.Sign(x509.Certificate{DNSNames: []string{"idp.example.org"}}, by)
}

func TestParse(t *testing.T) {
	good, _ := authority("root", nil).PEM()
	const torn, key = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for name, tt := range map[string]struct {
		text string
		want int // certificates; none is ErrNone
	}{
		"empty":           {"", 0},
		"no PEM":          {"garbage", 0},
		"a key":           {key, 0},
		"torn":            {torn + good, 0},
		"two":             {good + good, 2},
		"a key between":   {good + key + good, 2},
		"torn behind":     {good + torn + good, 1},
		"words around it": {"subject=x\n" + good + "# end\n", 1},
	} {
		chain, err := certchain.Parse([]byte(tt.text))
		if len(chain) != tt.want || errors.Is(err, certchain.ErrNone) != (tt.want == 0) || (err == nil) != (tt.want > 0) {
			t.Errorf("%s: %d certificates, %v; want %d", name, len(chain), err, tt.want)
		}
	}
}

func TestMustLast(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct{ life, before, want time.Duration }{
		{90 * day, 14 * day, 14 * day},
		{90 * day, 0, 21 * day},
		{90 * day, 40 * day, 30 * day},
		{6 * time.Hour, 14 * day, 2 * time.Hour},
	} {
		if got := certchain.MustLast(&x509.Certificate{NotBefore: noon, NotAfter: noon.Add(tt.life)}, tt.before); got != tt.want {
			t.Errorf("life %s, before %s: %s; want %s", tt.life, tt.before, got, tt.want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	root := authority("root", nil)
	between, stranger := authority("intermediate", root), authority("stranger", nil)
	leaf, direct := server(between), server(root)
	for name, tt := range map[string]struct {
		chain []*hosttest.Certificate
		want  string
	}{
		"whole":                       {[]*hosttest.Certificate{leaf, between}, ""},
		"in another order":            {[]*hosttest.Certificate{leaf, stranger, between}, ""},
		"alone":                       {[]*hosttest.Certificate{leaf}, "the certificate alone"},
		"with another's":              {[]*hosttest.Certificate{leaf, stranger}, "certificates of CN=stranger"},
		"signed by a root":            {[]*hosttest.Certificate{direct}, ""},
		"and with another's":          {[]*hosttest.Certificate{direct, stranger}, ""},
		"whole, of an unknown issuer": {[]*hosttest.Certificate{server(stranger), stranger}, ""},
	} {
		var chain []*x509.Certificate
		for _, s := range tt.chain {
			chain = append(chain, s.Leaf)
		}
		if got := certchain.Incomplete(chain, root.Pool(), noon); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
