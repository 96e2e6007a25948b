package host

import (
	"errors"
	"fmt"
	"io/fs"
)

// StateDir holds what the program remembers: the ledger, the journal, secrets,
// first bytes of files it replaced. It is root's, 0700.
const StateDir = "/var/lib/watchdog"

// What the state directory has to have room for, whoever else is short of it: an
// intent, its outcome and a journal file, many times over.
const (
	stateBytes  = 1 << 20
	stateInodes = 16
)

// StateUnwritable says why nothing can be written down in the state directory,
// as "its file system is mounted read-only", or nothing. It also objects to one
// that others may write: what it says of the past can't be trusted. An error
// means that it could not be looked at.
func StateUnwritable(fsys FS, dir string) (why string, err error) {
	n, err := fsys.Node(dir)
	if err != nil {
		return "", fmt.Errorf("look at the state directory: %w", err)
	}
	switch {
	case n == nil:
		return "it is not there", nil
	case n.Mode.Type() == fs.ModeSymlink: // to where there is more room, say
	case !n.Mode.IsDir():
		return fmt.Sprintf("it is no directory (%s)", n.Mode), nil
	case n.Owner != "root":
		return fmt.Sprintf("its owner is %s, not root", n.Owner), nil
	case n.Mode.Perm()&0o022 != 0:
		return fmt.Sprintf("others than root may write in it (mode %04o)", n.Mode.Perm()), nil
	}
	u, err := fsys.Usage(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is a link to nothing", nil
	}
	if err != nil {
		return "", fmt.Errorf("measure the state directory: %w", err)
	}
	switch {
	case u.ReadOnly:
		return "it cannot be written: its file system is mounted read-only, or it is marked immutable", nil
	case u.RootFree < stateBytes:
		return fmt.Sprintf("its file system is full: %d KiB free", u.RootFree>>10), nil
	case u.Files > 0 && u.Spare < stateInodes: // file systems that make inodes as they go count none
		return fmt.Sprintf("its file system has %d inodes left", u.Spare), nil
	}
	return "", nil
}
