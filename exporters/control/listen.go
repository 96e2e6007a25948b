package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Listen makes the socket for root and the group. One that a killed engine left
// behind is taken over. It is made where nobody else can reach it and gets its
// name when it has its owner and mode, so that it is never open to others, not
// even for a moment.
func Listen(path string) (l net.Listener, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("listen on %s: %w", path, err)
		}
	}()
	dir := filepath.Dir(path)
	private := filepath.Join(dir, ".new")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.RemoveAll(private), os.Mkdir(private, 0o700)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	name := filepath.Join(private, "socket")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	u.SetUnlinkOnClose(false) // by then it has another name
	if err = give(name); err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// give lets the group read and write what root owns. Where there is no such
// group, root alone does.
func give(name string) error {
	if err := os.Chmod(name, 0o600); err != nil {
		return err
	}
	g, err := user.LookupGroup(Group)
	if err != nil {
		return nil
	}
	gid, err := strconv.Atoi(g.Gid)
	if err == nil {
		err = os.Chown(name, -1, gid)
	}
	if err == nil {
		err = os.Chmod(name, 0o660)
	}
	return err
}
