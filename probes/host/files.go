package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFile bounds what is read of one file, in bytes.
const maxFile = 8 << 20

// files is the machine's own [FS].
type files struct {
	users, groups *names
}

func newFiles() *files {
	return &files{users: &names{path: "/etc/passwd"}, groups: &names{path: "/etc/group"}}
}

// Node implements [FS].
func (f *files) Node(name string) (*Node, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var data []byte
	switch info.Mode().Type() {
	case 0:
		// The open file's own information, so that mode and bytes belong
		// together when it is replaced meanwhile.
		if data, info, err = read(name, unix.O_NOFOLLOW); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	case fs.ModeSymlink:
		var target string
		target, err = os.Readlink(name)
		data = []byte(target)
	}
	if err != nil {
		return nil, err
	}
	return f.node(info, data)
}

func (f *files) node(info fs.FileInfo, data []byte) (*Node, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("read the owner of %s: no such information here", info.Name())
	}
	owner, err := f.users.name(stat.Uid)
	if err != nil {
		return nil, err
	}
	group, err := f.groups.name(stat.Gid)
	if err != nil {
		return nil, err
	}
	const bits = fs.ModeType | fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return &Node{Mode: info.Mode() & bits, Owner: owner, Group: group, Data: data, ModTime: info.ModTime()}, nil
}

// ReadFile implements [FS].
func (f *files) ReadFile(name string) ([]byte, error) {
	data, _, err := read(name, 0)
	return data, err
}

// read reads a regular file whole. Size is no guide: below /proc and /sys it
// is 0 or 4096 whatever there is to read.
func read(name string, flags int) ([]byte, fs.FileInfo, error) {
	// Without O_NONBLOCK a named pipe would wait for a writer.
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFile {
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d MiB", maxFile>>20)}
	}
	return data, info, nil
}

// ReadDir implements [FS]. Names are sorted.
func (f *files) ReadDir(name string) ([]string, error) {
	dir, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(entries)
	return entries, nil
}

// Usage implements [FS].
func (f *files) Usage(name string) (Usage, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return Usage{}, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return Usage{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	block := uint64(s.Frsize)
	if block == 0 {
		block = uint64(s.Bsize)
	}
	// Nothing is tried: the kernel answers as if it were.
	refused := unix.Access(name, unix.W_OK)
	return Usage{
		Device: st.Dev, Size: s.Blocks * block, Free: s.Bavail * block, RootFree: s.Bfree * block, Files: s.Files, Spare: s.Ffree,
		ReadOnly: errors.Is(refused, unix.EROFS) || errors.Is(refused, unix.EPERM),
	}, nil
}
