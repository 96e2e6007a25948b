package host

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

// SecretDir holds the generated secrets, one file each, 0600 root.
const SecretDir = "/var/lib/watchdog/secrets"

// A Secret prints as [redacted] wherever it goes. Only Reveal gives the bytes;
// its callers are counted by a test.
type Secret struct{ value string }

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the secret itself: for a connection, or for the file it
// belongs in, and nothing else.
func (s Secret) Reveal() string { return s.value }

// Missing reports whether there is no secret yet, as on a bare host.
func (s Secret) Missing() bool { return s.value == "" }

const redacted = "[redacted]"

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
	return Secret{string(n.Data)}, nil
}
