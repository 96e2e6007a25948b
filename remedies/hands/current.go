package hands

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
)

// A current is what has a name now; nil is nothing.
type current struct {
	stat unix.Stat_t
	mode fs.FileMode // as in a node
	data []byte      // bytes or target; of a file that is too long, its beginning
}

// look reads what has the place's name, of a file at most limit bytes and one
// more. Links are not followed.
func (p place) look(limit int) (*current, error) {
	c := &current{}
	err := unix.Fstatat(p.fd(), p.base, &c.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", p.name, err)
	}
	switch c.stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = p.read(c, limit)
	case unix.S_IFLNK:
		c.mode = fs.ModeSymlink
		var target string
		target, err = readlink(p.fd(), p.base)
		c.data = []byte(target)
	case unix.S_IFDIR:
		c.mode = fs.ModeDir
	default:
		c.mode = fs.ModeIrregular
	}
	c.mode |= nodeBits(c.stat.Mode)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.name, err)
	}
	return c, nil
}

func (p place) read(c *current, limit int) error {
	// Not waiting: the file may have become a pipe since.
	f, err := p.open(unix.O_RDONLY | unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &c.stat); err != nil {
		return err
	}
	c.data, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	return err
}

// open opens what has the place's name itself, never where it leads.
func (p place) open(flags int) (*os.File, error) {
	fd, err := unix.Openat(p.fd(), p.base, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p.name), nil
}

// differs names the first thing in which c is not as n says, or returns "". An
// owner that the machine does not know is not c's.
func (c *current) differs(n *host.Node) string {
	if c == nil || n == nil {
		if c == nil && n == nil {
			return ""
		}
		return "existence"
	}
	uid, uerr := userID(n.Owner)
	gid, gerr := groupID(n.Group)
	switch {
	case c.mode.Type() != n.Mode.Type():
		return "type"
	case c.mode.Type() == fs.ModeSymlink && string(c.data) != string(n.Data):
		return "target"
	case c.mode.IsRegular() && string(c.data) != string(n.Data):
		return "content"
	case uerr != nil || uint32(uid) != c.stat.Uid:
		return "owner"
	case gerr != nil || uint32(gid) != c.stat.Gid:
		return "group"
	case c.mode.Type() != fs.ModeSymlink && c.mode != n.Mode:
		return "mode"
	}
	return ""
}

// special are the bits beside the permissions, as the kernel and as Go has them.
var special = map[uint32]fs.FileMode{
	unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
}

func nodeBits(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, s := range special {
		if mode&bit != 0 {
			m |= s
		}
	}
	return m
}

func kernelBits(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for bit, s := range special {
		if m&s != 0 {
			mode |= bit
		}
	}
	return mode
}

// moved reports whether the name no longer has what was looked at.
func (c *current) moved(p place) bool {
	var st unix.Stat_t
	err := unix.Fstatat(p.fd(), p.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if c == nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return err != nil || !c.is(st)
}

// is reports whether st is of what was looked at, unchanged.
func (c *current) is(st unix.Stat_t) bool {
	return st.Dev == c.stat.Dev && st.Ino == c.stat.Ino && st.Ctim == c.stat.Ctim && st.Size == c.stat.Size
}

// userID and groupID take names, and numbers where there is no name.
func userID(name string) (int, error) {
	if u, err := user.Lookup(name); err == nil {
		name = u.Uid
	}
	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("there is no user %q", name)
	}
	return int(id), nil
}

func groupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		name = g.Gid
	}
	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q", name)
	}
	return int(id), nil
}
