package hands

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"testing"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// rooted returns hands whose machine is a temporary directory with /etc.
func rooted(t *testing.T) (*Hands, string) {
	t.Helper()
	root := t.TempDir()
	mkdirs(t, root+"/etc", root+"/var/lib", root+"/var/cache", root+"/proc/sys/net/ipv6/conf/eth0", root+"/opt")
	return New(hosttest.New(), Options{Root: root}), root
}

func mkdirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func me(t *testing.T) (owner, group string) {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return u.Username, g.Name
}

func file(t *testing.T, data string, mode fs.FileMode) *host.Node {
	o, g := me(t)
	return remedies.File([]byte(data), o, g, mode)
}

func dir(t *testing.T, mode fs.FileMode) *host.Node {
	o, g := me(t)
	return remedies.Directory(o, g, mode)
}

func link(t *testing.T, target string) *host.Node {
	n := remedies.Link(target)
	n.Owner, n.Group = me(t)
	return n
}

func owned(n *host.Node, owner, group string) *host.Node {
	c := *n
	c.Owner, c.Group = owner, group
	return &c
}

// node reads what is on the disk, by means of its own.
func node(t *testing.T, name string) *host.Node {
	t.Helper()
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	n := &host.Node{Mode: info.Mode()}
	if u, err := user.LookupId(itoa(st.Uid)); err == nil {
		n.Owner = u.Username
	}
	if g, err := user.LookupGroupId(itoa(st.Gid)); err == nil {
		n.Group = g.Name
	}
	switch info.Mode().Type() {
	case 0:
		n.Data, err = os.ReadFile(name)
	case fs.ModeSymlink:
		var target string
		target, err = os.Readlink(name)
		n.Data = []byte(target)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(t *testing.T, name string, n *host.Node) {
	t.Helper()
	var err error
	switch n.Mode.Type() {
	case fs.ModeSymlink:
		err = os.Symlink(string(n.Data), name)
	case fs.ModeDir:
		err = os.Mkdir(name, 0o700)
	default:
		err = os.WriteFile(name, n.Data, 0o600)
	}
	if err == nil && n.Mode.Type() != fs.ModeSymlink {
		err = os.Chmod(name, n.Mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// names lists a directory, hidden files too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func inode(t *testing.T, name string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
