package hands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// temporary is the name under which a file comes to be, beside its own. No
// "*.conf" of an include takes it, nor, ending so, certbot among its hooks. The
// process id tells a leftover from a write under way.
func (p place) temporary() string {
	return p.leftover() + strconv.Itoa(os.Getpid()) + "~"
}

func (p place) leftover() string { return "." + p.base + ".watchdog-" }

// sweep removes what killed processes left of their writes of this name. What
// bears this process's id is one too: only one write is ever under way.
func (p place) sweep() {
	// Read through a descriptor of its own: names are read only once by one.
	fd, err := unix.Openat(p.fd(), ".", dirFlags, 0)
	if err != nil {
		return
	}
	d := os.NewFile(uintptr(fd), p.name)
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		id, ok := strings.CutPrefix(name, p.leftover())
		pid, err := strconv.Atoi(strings.TrimSuffix(id, "~"))
		if !ok || err != nil || pid <= 0 {
			continue
		}
		if pid == os.Getpid() || errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = unix.Unlinkat(p.fd(), name, 0)
		}
	}
}

// replace puts a new file or link in the place of c, in one step: whoever looks
// sees the old one or the new one, whole and with its owner and mode.
func (p place) replace(c *current, n *host.Node, uid, gid int) (err error) {
	tmp := p.temporary()
	defer func() {
		if err != nil {
			if e := unix.Unlinkat(p.fd(), tmp, 0); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, fmt.Errorf("remove %s: %w", tmp, e))
			}
		}
	}()
	if n.Mode.IsRegular() {
		err = p.fill(tmp, n, uid, gid)
	} else {
		err = p.link(tmp, n, uid, gid)
	}
	if err != nil {
		return err
	}
	if c.moved(p) {
		return remedies.ErrStale
	}
	if c == nil {
		err = unix.Renameat2(p.fd(), tmp, p.fd(), p.base, unix.RENAME_NOREPLACE)
		if errors.Is(err, fs.ErrExist) {
			return remedies.ErrStale
		}
	}
	if c != nil || errors.Is(err, unix.EINVAL) { // a file system without that flag
		err = unix.Renameat(p.fd(), tmp, p.fd(), p.base)
	}
	if err != nil {
		return err
	}
	return p.dir.Sync()
}

// link makes the temporary link.
func (p place) link(tmp string, n *host.Node, uid, gid int) error {
	if err := unix.Symlinkat(string(n.Data), p.fd(), tmp); err != nil {
		return err
	}
	fd, err := unix.Openat(p.fd(), tmp, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// By descriptor: what has the name by now may be something else, if the
	// directory is somebody else's.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return remedies.ErrStale
	}
	return unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH)
}

// fill makes the temporary file, on disk when it returns.
func (p place) fill(tmp string, n *host.Node, uid, gid int) error {
	fd, err := unix.Openat(p.fd(), tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), p.name)
	defer f.Close()
	if _, err := f.Write(n.Data); err != nil {
		return errors.Unwrap(err) // its path is ours already
	}
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return fmt.Errorf("give it to %s:%s: %w", n.Owner, n.Group, err)
	}
	if err := unix.Fchmod(fd, kernelBits(n.Mode)); err != nil {
		return err
	}
	if err := unix.Fsync(fd); err != nil {
		return err
	}
	return f.Close()
}
