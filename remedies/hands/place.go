package hands

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// A place is a name in a directory that is held open: what becomes of the
// directory's own name meanwhile changes nothing.
type place struct {
	name string   // the whole name, for errors
	dir  *os.File // the directory
	base string   // the name in it
}

func (p place) Close() { p.dir.Close() }

func (p place) fd() int { return int(p.dir.Fd()) }

// maxLinks is how many links a name may lead over, as for the kernel.
const maxLinks = 40

// checkName refuses names that could mean something else than they say.
func checkName(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" || strings.ContainsRune(name, 0) {
		return fmt.Errorf("write %q: want an absolute, clean name", name)
	}
	return nil
}

// place opens the directory that name is in. On the way it follows links only
// where root made them: whoever has a directory of his own must not lead a
// write of root's to elsewhere. The error of a missing directory wraps
// [fs.ErrNotExist] and names it.
func (w *Hands) place(name string) (place, error) {
	dir, err := w.walk(parts(path.Dir(name)))
	if err != nil {
		return place{}, err
	}
	return place{name, dir, path.Base(name)}, nil
}

func (w *Hands) walk(rest []string) (*os.File, error) {
	links := 0
	at, fd, err := "/", -1, error(nil)
	for {
		if fd < 0 {
			at = "/"
			if fd, err = unix.Open(w.path("/"), dirFlags, 0); err != nil {
				return nil, &os.PathError{Op: "open", Path: "/", Err: err}
			}
		}
		if len(rest) == 0 {
			return os.NewFile(uintptr(fd), at), nil
		}
		next, target, err := step(fd, rest[0])
		unix.Close(fd)
		if target != "" {
			if links++; links > maxLinks {
				err = unix.ELOOP
			}
		}
		if err != nil {
			return nil, fmt.Errorf("directory %s: %w", path.Join(at, rest[0]), err)
		}
		fd = next
		if target == "" {
			at, rest = path.Join(at, rest[0]), rest[1:]
			continue
		}
		// What is before the link has none in it, so that its dots may be
		// taken out as text. The way begins anew at the root.
		if !path.IsAbs(target) {
			target = path.Join(at, target)
		}
		rest = append(parts(target), rest[1:]...)
	}
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// errLink refuses a link on the way that somebody else than root could bend.
var errLink = errors.New("is a link that root does not own")

// step opens the directory of that name in dir, or returns the target of the
// link of that name and no descriptor.
func step(dir int, name string) (fd int, target string, err error) {
	fd, err = unix.Openat(dir, name, dirFlags, 0)
	if err == nil {
		return fd, "", nil
	}
	link, lerr := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if lerr != nil {
		return -1, "", lerr
	}
	defer unix.Close(link)
	var st unix.Stat_t
	if err := unix.Fstat(link, &st); err != nil {
		return -1, "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return -1, "", err
	}
	if st.Uid != 0 {
		return -1, "", errLink
	}
	target, err = readlink(link, "")
	return -1, target, err
}

// readlink returns a link's target; name is empty for a descriptor of the link
// itself.
func readlink(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}
