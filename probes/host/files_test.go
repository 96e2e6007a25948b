package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fsOf returns files whose names come from made-up databases.
func fsOf(t *testing.T, passwd, group string) *files {
	t.Helper()
	dir := t.TempDir()
	f := &files{&names{path: dir + "/passwd"}, &names{path: dir + "/group"}}
	write(t, f.users.path, passwd)
	write(t, f.groups.path, group)
	return f
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func needsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changes owners: needs root")
	}
}

func TestNode(t *testing.T) {
	needsRoot(t)
	f := fsOf(t, "root:x:0:0:root:/root:/bin/sh\nkeycloak:x:990:991::/:/bin/false\nsecond:x:990:1::/:/bin/false\n# comment\n:x:5:5\n", "root:x:0:\nkc:x:991:\n")
	dir := t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n) }
	write(t, name("file"), "key\n")
	for _, err := range []error{
		os.Chown(name("file"), 990, 991), os.Chmod(name("file"), 0o640),
		os.Mkdir(name("dir"), 0o755), os.Chmod(name("dir"), 0o750|fs.ModeSetgid), os.Chown(name("dir"), 0, 4242),
		os.Symlink("file", name("link")), os.Symlink("nowhere", name("dangling")),
		syscall.Mkfifo(name("pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[string]*Node{
		"file":     {Mode: 0o640, Owner: "keycloak", Group: "kc", Data: []byte("key\n")},
		"dir":      {Mode: fs.ModeDir | 0o750, Owner: "root", Group: "4242"},
		"link":     {Mode: fs.ModeSymlink | 0o777, Owner: "root", Group: "root", Data: []byte("file")},
		"dangling": {Mode: fs.ModeSymlink | 0o777, Owner: "root", Group: "root", Data: []byte("nowhere")},
		"pipe":     {Mode: fs.ModeNamedPipe | 0o600, Owner: "root", Group: "root"},
		"missing":  nil,
		// What is below a file does not exist either.
		"file/below": nil,
	} {
		if n == "dir" {
			// Changing the group may clear the bit; the file system decides.
			info, err := os.Lstat(name(n))
			if err != nil {
				t.Fatal(err)
			}
			want.Mode |= info.Mode() & fs.ModeSetgid
		}
		got, err := f.Node(name(n))
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Node{}, "ModTime")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", n, diff)
		}
	}
}

func TestNamesFollowTheirFile(t *testing.T) {
	f := fsOf(t, "", "")
	for _, step := range []struct{ passwd, want string }{
		{"", "7"}, {"seven:x:7:\n", "seven"}, {"sieben:x:7:\n", "sieben"},
	} {
		write(t, f.users.path, step.passwd)
		// Two writes within the clock's grain would look alike.
		at := time.Unix(int64(len(step.passwd)), 0)
		if err := os.Chtimes(f.users.path, at, at); err != nil {
			t.Fatal(err)
		}
		got, err := f.users.name(7)
		if err != nil || got != step.want {
			t.Errorf("with %q: %q, %v; want %q", step.passwd, got, err, step.want)
		}
	}
	if err := os.Remove(f.users.path); err != nil {
		t.Fatal(err)
	}
	if got, err := f.users.name(7); err != nil || got != "7" {
		t.Errorf("without the file: %q, %v; want 7", got, err)
	}
}

func TestReadFile(t *testing.T) {
	f := newFiles()
	dir := t.TempDir()
	write(t, dir+"/file", "data")
	if err := errors.Join(os.Symlink("file", dir+"/link"), syscall.Mkfifo(dir+"/pipe", 0o600),
		os.Truncate(mustCreate(t, dir+"/full"), maxFile), os.Truncate(mustCreate(t, dir+"/over"), maxFile+1)); err != nil {
		t.Fatal(err)
	}
	if data, err := f.ReadFile(dir + "/link"); err != nil || string(data) != "data" {
		t.Errorf("link: %q, %v", data, err)
	}
	if data, err := f.ReadFile(dir + "/full"); err != nil || len(data) != maxFile {
		t.Errorf("file of the largest size: %d bytes, %v", len(data), err)
	}
	for _, read := range []func(string) error{
		func(n string) error { _, err := f.ReadFile(n); return err },
		func(n string) error { _, err := f.Node(n); return err },
	} {
		if err := read(dir + "/over"); err == nil || !strings.Contains(err.Error(), "larger than 8 MiB") || !strings.Contains(err.Error(), "/over") {
			t.Errorf("file too large: %v", err)
		}
	}
	if _, err := f.ReadFile(dir + "/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	for _, n := range []string{"/pipe", ""} {
		if _, err := f.ReadFile(dir + n); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", n, err)
		}
	}
	names, err := f.ReadDir(dir)
	if diff := cmp.Diff([]string{"file", "full", "link", "over", "pipe"}, names); err != nil || diff != "" {
		t.Errorf("names %v (-want +got):\n%s", err, diff)
	}
}

func mustCreate(t *testing.T, name string) string {
	write(t, name, "")
	return name
}

func TestKernelFiles(t *testing.T) {
	f := newFiles()
	for _, name := range []string{HostnameFile, "/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		data, err := f.ReadFile(name)
		n, err2 := f.Node(name)
		if err != nil || err2 != nil || len(data) == 0 || len(n.Data) == 0 {
			t.Errorf("%s: %q, %v, %v", name, data, err, err2)
		}
	}
}

func TestUsage(t *testing.T) {
	u, err := newFiles().Usage(t.TempDir())
	if err != nil || u.Size == 0 || u.Free > u.Size || u.Spare > u.Files {
		t.Errorf("usage %+v, %v", u, err)
	}
	if _, err := newFiles().Usage("/missing"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/missing") {
		t.Errorf("missing: %v", err)
	}
}
