package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"unique"
)

// SecretDir holds the generated secrets, one file each, 0600 root.
const SecretDir = "/var/lib/watchdog/secrets"

// A Secret prints as [redacted] wherever it goes. Only Reveal gives the bytes;
// its callers are counted by a test. Two of the same bytes are equal by ==.
type Secret struct {
	// A handle, because fmt calls no method of a struct's unexported fields:
	// of a plain string it would print the bytes, of this an address.
	value unique.Handle[string]
}

// NewSecret wraps value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the secret itself: for a connection, or for the file it
// belongs in, and nothing else.
func (s Secret) Reveal() string {
	if s.Missing() {
		return ""
	}
	return s.value.Value()
}

// Missing reports whether there is no secret yet, as on a bare host.
func (s Secret) Missing() bool { return s == Secret{} }

// Equal reports whether two secrets are the same; it lets go-cmp compare what
// they are in.
func (s Secret) Equal(t Secret) bool { return s == t }

const redacted = "[redacted]"

// Format keeps every verb from the bytes.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Secret reads the generated secret of that name. One that does not exist yet
// is Missing and no error; one that others may read is an error.
func (h *Host) Secret(name string) (Secret, error) {
	path := SecretDir + "/" + name
	n, err := h.FS.Node(path)
	switch {
	case err != nil:
		return Secret{}, err
	case n == nil:
		return Secret{}, nil
	case !n.Mode.IsRegular():
		return Secret{}, fmt.Errorf("read secret %s: not a regular file", path)
	case n.Mode.Perm()&0o077 != 0:
		return Secret{}, fmt.Errorf("read secret %s: mode %04o lets others read it; want 0600 (chmod 0600 %s)", path, n.Mode.Perm(), path)
	}
	if len(n.Data) == 0 {
		return Secret{}, &fs.PathError{Op: "read secret", Path: path, Err: errors.New("is empty")}
	}
	return NewSecret(string(n.Data)), nil
}
