// Package scram makes and checks the verifier that PostgreSQL keeps for a role
// instead of its password:
//
//	SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
//
// salt and keys in base64 (PostgreSQL's documentation of pg_authid.rolpassword;
// RFC 5802 section 3 for the keys). A verifier in a statement lets a role's
// password be set without the password ever being sent or logged.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Iterations is PostgreSQL's own default (scram_iterations), and SaltSize the
// length in bytes of the salts that it makes.
const (
	Iterations = 4096
	SaltSize   = 16
)

// maxIterations bounds what checking a verifier may cost: a second or so.
const maxIterations = 1 << 22

const prefix = "SCRAM-SHA-256$"

// New returns the verifier of password. The password is taken as it is: in
// ASCII, of which all generated ones are, SASLprep would change nothing.
func New(password string, salt []byte, iterations int) (string, error) {
	stored, server, err := keys(password, salt, iterations)
	if err != nil {
		return "", err
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", prefix, iterations, b64(salt), b64(stored), b64(server)), nil
}

// Verify reports whether verifier was made of password. It is false for what is
// no SCRAM verifier ([Is]).
func Verify(verifier, password string) bool {
	v, ok := parse(verifier)
	if !ok {
		return false
	}
	stored, server, err := keys(password, v.salt, v.iterations)
	return err == nil && hmac.Equal(stored, v.stored) && hmac.Equal(server, v.server)
}

// Is reports whether s is a well-formed verifier.
func Is(s string) bool {
	_, ok := parse(s)
	return ok
}

type verifier struct {
	iterations           int
	salt, stored, server []byte
}

func parse(s string) (verifier, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return verifier{}, false
	}
	head, tail, ok := strings.Cut(rest, "$")
	count, salt, ok1 := strings.Cut(head, ":")
	stored, server, ok2 := strings.Cut(tail, ":")
	if !ok || !ok1 || !ok2 {
		return verifier{}, false
	}
	var v verifier
	var errs [4]error
	v.iterations, errs[0] = strconv.Atoi(count)
	v.salt, errs[1] = base64.StdEncoding.DecodeString(salt)
	v.stored, errs[2] = base64.StdEncoding.DecodeString(stored)
	v.server, errs[3] = base64.StdEncoding.DecodeString(server)
	if errors.Join(errs[:]...) != nil || v.iterations < 1 || v.iterations > maxIterations ||
		len(v.stored) != sha256.Size || len(v.server) != sha256.Size {
		return verifier{}, false
	}
	return v, true
}

// keys derives StoredKey and ServerKey (RFC 5802).
func keys(password string, salt []byte, iterations int) (stored, server []byte, err error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	sum := sha256.Sum256(sign(salted, "Client Key"))
	return sum[:], sign(salted, "Server Key"), nil
}

func sign(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
