// Package keycloak looks at the identity provider from every side that can be
// wrong alone: its management interface ([Ready]), why it did not start
// ([Start]), what overrides its configuration file ([Environment]), the public
// documents as users and the loopback get them ([Issuer]), a token of its own
// service account ([Token]), the realm's clients ([Realm]), and whether a person
// can still administer it ([Admins]).
//
// Where it stands: Stack ─▶ [probes ─▶ findings] ─▶ Diagnose.
//
// No single one of them is enough: the management interface says UP with an
// expired certificate or an emptied database, discovery answers from a cache
// when the database is gone, and only a token shows that everything works.
// The messages that faults are told apart by were measured on Keycloak 26.7.
package keycloak

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"watchdog/probes"
)

// The faults of Keycloak and of what it gives out.
const (
	NotReady        probes.Code = "keycloak.not-ready"
	Hung            probes.Code = "keycloak.hung"
	Unreachable     probes.Code = "keycloak.unreachable"
	ConfigRejected  probes.Code = "keycloak.config-rejected"
	OutOfMemory     probes.Code = "keycloak.out-of-memory"
	StartFailed     probes.Code = "keycloak.start-failed"
	CertsUnreadable probes.Code = "keycloak.certs-unreadable"
	SchemaMissing   probes.Code = "keycloak.schema-missing"
	SchemaLocked    probes.Code = "keycloak.schema-locked"
	ListenerTaken   probes.Code = "listener.taken"

	EnvOverridesFile probes.Code = "keycloak.env-overrides-file"
	EnvFileOverrides probes.Code = "keycloak.env-file-overrides"

	IssuerUnreachable probes.Code = "issuer.unreachable"
	IssuerUntrusted   probes.Code = "issuer.untrusted"
	IssuerError       probes.Code = "issuer.server-error"
	IssuerPortLeak    probes.Code = "issuer.port-leak"
	IssuerPlainHTTP   probes.Code = "issuer.plain-http"
	IssuerWrongPath   probes.Code = "issuer.wrong-path"
	PlainHTTP         probes.Code = "tls.plain-http"

	AdminLockedOut probes.Code = "admin.locked-out"

	TokenUnavailable    probes.Code = "token.unavailable"
	TokenClientRejected probes.Code = "token.client-rejected"
	TokenClaimMissing   probes.Code = "token.claim-missing"

	RealmMissing       probes.Code = "realm.missing"
	RealmDisabled      probes.Code = "realm.disabled"
	RealmFrontendURL   probes.Code = "realm.frontend-url"
	RealmClientMissing probes.Code = "realm.client-missing"
	RealmClientDrift   probes.Code = "realm.client-drift"
)

// timeout is the most a look may take.
const timeout = 3 * time.Second

// A trouble is how a request came to nothing.
type trouble int

const (
	blind     trouble = iota // on our side: nothing can be said
	refused                  // nobody accepts the connection
	silent                   // accepted, no answer
	closed                   // accepted, then closed or answered with something else
	plain                    // plain HTTP where TLS belongs
	untrusted                // a certificate that clients refuse
)

// troubleOf sorts an error of net/http; outer is the context of the caller.
func troubleOf(outer context.Context, err error) trouble {
	var dial *net.OpError
	var record tls.RecordHeaderError
	switch {
	case outer.Err() != nil:
		return blind
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record):
		return plain
	case isCertificate(err):
		return untrusted
	case probes.Late(err):
		return silent
	case errors.As(err, &dial) && dial.Op == "dial":
		if probes.Unreachable(err) {
			return refused
		}
		return blind
	}
	return closed
}

// isCertificate reports whether a handshake ended over the server's
// certificate. That its key belongs to another one shows in the signature,
// whose error has no type.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &verification) || errors.As(err, &name) || errors.As(err, &authority) ||
		strings.Contains(err.Error(), "tls: invalid signature by the server certificate")
}

// why is an error in the words that people look up, without the frame of
// net/http around it: the URL stands in the evidence already.
func why(err error) string {
	var frame *url.Error
	if errors.As(err, &frame) {
		err = frame.Err
	}
	return probes.Ending(err)
}

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 256 << 10

// fetch sends a request and reads its answer whole.
func fetch(client *http.Client, req *http.Request) (status int, body []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("read the answer: more than %d bytes", maxBody)
	}
	return resp.StatusCode, body, err
}

// clip makes one line of s, at most so many bytes long.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
