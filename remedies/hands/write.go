package hands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// Write implements [remedies.Files].
func (w *Hands) Write(ctx context.Context, name string, old, new *host.Node) error {
	if err := checkName(name); err != nil {
		return err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	p, err := w.place(name)
	if errors.Is(err, fs.ErrNotExist) && new == nil {
		return nil // with its directory gone it is gone as well
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer p.Close()
	if strings.HasPrefix(name, sysctls) {
		return p.sysctl(old, new)
	}
	return w.swap(p, old, new)
}

// swap compares and then puts new in the place of old.
func (w *Hands) swap(p place, old, new *host.Node) error {
	p.sweep()
	c, err := p.look(max(size(old), size(new)))
	if err != nil {
		return err
	}
	if c.differs(new) == "" {
		return nil
	}
	if what := c.differs(old); what != "" {
		return fmt.Errorf("write %s: its %s %w", p.name, what, remedies.ErrStale)
	}
	if err := w.keep(p, c, new); err != nil {
		return err
	}
	// The list of our own files only decides what is kept of one that is
	// replaced later: off it before the file goes and on it after it came, so
	// that a crash keeps too much and not too little. A list that can't be
	// written, on a full disk say, must not stand in the way of an undo.
	if new == nil {
		_ = w.disown(p.name)
	}
	if err := p.put(c, new); err != nil {
		return fmt.Errorf("write %s: %w", p.name, err)
	}
	if c == nil {
		_ = w.own(p.name)
	}
	return nil
}

// put makes what has the place's name, which is c, what n says.
func (p place) put(c *current, n *host.Node) error {
	if n == nil {
		return p.remove(c)
	}
	uid, err := userID(n.Owner)
	if err != nil {
		return err
	}
	gid, err := groupID(n.Group)
	if err != nil {
		return err
	}
	wasDir := c != nil && c.mode.IsDir()
	switch {
	case c != nil && wasDir != n.Mode.IsDir():
		return fmt.Errorf("can't make %s of %s: remove it first", kind(n.Mode), kind(c.mode))
	case n.Mode.IsDir() && c == nil:
		return p.mkdir(uid, gid, n.Mode)
	case n.Mode.IsDir():
		return p.chown(c, uid, gid, n.Mode)
	case n.Mode.IsRegular() && c != nil && string(c.data) == string(n.Data) && c.mode.IsRegular() && c.stat.Nlink == 1:
		// A file of several names gets a new inode instead: the other name may
		// belong to something that is not ours to give away.
		return p.chown(c, uid, gid, n.Mode)
	case n.Mode.IsRegular(), n.Mode.Type() == fs.ModeSymlink:
		return p.replace(c, n, uid, gid)
	}
	return fmt.Errorf("can't make %s", kind(n.Mode))
}

// remove unlinks a file or link, or an empty directory.
func (p place) remove(c *current) error {
	flags := 0
	if c.mode.IsDir() {
		flags = unix.AT_REMOVEDIR
	}
	if c.moved(p) {
		return remedies.ErrStale
	}
	if err := unix.Unlinkat(p.fd(), p.base, flags); err != nil {
		return err
	}
	return p.dir.Sync()
}

// mkdir makes a directory that nobody else may enter before it has its owner.
func (p place) mkdir(uid, gid int, mode fs.FileMode) error {
	if err := unix.Mkdirat(p.fd(), p.base, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return remedies.ErrStale
		}
		return err
	}
	c, err := p.look(0)
	switch {
	case err != nil:
	case c == nil || !c.mode.IsDir(): // whoever owns the one above it may do that
		return remedies.ErrStale
	default:
		err = p.chown(c, uid, gid, mode)
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(p.fd(), p.base, unix.AT_REMOVEDIR))
	}
	return p.dir.Sync()
}

// chown gives c another owner, group and mode, in place. In between nobody has
// a right that he has not either before or after.
func (p place) chown(c *current, uid, gid int, mode fs.FileMode) error {
	f, err := p.open(unix.O_RDONLY | unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer f.Close()
	// What was opened, not what has the name: nothing else may be given away.
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if !c.is(st) {
		return remedies.ErrStale
	}
	fd, was, now := int(f.Fd()), c.stat.Mode&0o7777, kernelBits(mode)
	if err := unix.Fchmod(fd, was&now); err != nil {
		return err
	}
	err = unix.Fchown(fd, uid, gid)
	if err == nil {
		err = unix.Fchmod(fd, now)
	}
	if err != nil {
		return errors.Join(err, unix.Fchown(fd, int(c.stat.Uid), int(c.stat.Gid)), unix.Fchmod(fd, was))
	}
	return f.Sync()
}

func size(n *host.Node) int {
	if n == nil {
		return 0
	}
	return len(n.Data)
}

func kind(m fs.FileMode) string {
	switch m.Type() {
	case 0:
		return "a file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a link"
	}
	return "a special file"
}
