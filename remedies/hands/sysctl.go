package hands

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// sysctls is where the kernel's parameters are. They have no bytes at rest: a
// write is a call, and what is read back is the kernel's own spelling.
const sysctls = "/proc/sys/"

// maxParameter bounds what is read of one, in bytes.
const maxParameter = 64 << 10

// sysctl sets a kernel parameter in place.
func (p place) sysctl(old, new *host.Node) error {
	if old == nil || new == nil {
		return fmt.Errorf("write %s: kernel parameters can't be made or removed", p.name)
	}
	c, err := p.look(maxParameter)
	switch {
	case err != nil:
		return err
	case c == nil:
		return fmt.Errorf("write %s: %w", p.name, errors.Join(remedies.ErrStale, unix.ENOENT))
	case sameValue(c.data, new.Data):
		return nil
	case !sameValue(c.data, old.Data):
		return fmt.Errorf("write %s: its value %w", p.name, remedies.ErrStale)
	}
	f, err := p.open(unix.O_WRONLY | unix.O_TRUNC)
	if err != nil {
		return fmt.Errorf("write %s: %w", p.name, err)
	}
	defer f.Close()
	// One write: the kernel takes each as a whole value.
	if _, err := f.Write(append(bytes.TrimSpace(new.Data), '\n')); err != nil {
		return fmt.Errorf("write %s: %w", p.name, errors.Unwrap(err))
	}
	return f.Close()
}

func sameValue(a, b []byte) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }
