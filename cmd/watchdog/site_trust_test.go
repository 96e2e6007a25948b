package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fakeOwners is a made-up file system: path → node.
func fakeOwners(nodes map[string]siteNode) siteOwnership {
	return siteOwnership{look: func(name string) (siteNode, error) {
		n, ok := nodes[name]
		if !ok {
			return siteNode{}, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
		}
		return n, nil
	}}
}

func TestSiteOwnership(t *testing.T) {
	const dir, link = fs.ModeDir, fs.ModeSymlink | 0o777
	base := map[string]siteNode{
		"/": {mode: dir | 0o755}, "/etc": {mode: dir | 0o755}, "/etc/watchdog": {mode: dir | 0o755},
		"/etc/watchdog/site.yaml": {mode: 0o644},
		"/etc/watchdog/open.yaml": {mode: 0o664},
		"/etc/watchdog/mine.yaml": {mode: 0o644, uid: 1000},
		"/etc/watchdog/ln.yaml":   {mode: link, link: "site.yaml"},
		"/etc/watchdog/up.yaml":   {mode: link, link: "../watchdog/./site.yaml"},
		"/etc/watchdog/tmp.yaml":  {mode: link, link: "/tmp/site.yaml"},
		"/etc/watchdog/loop.yaml": {mode: link, link: "loop.yaml"},
		"/tmp":                    {mode: dir | fs.ModeSticky | 0o777},
		"/tmp/site.yaml":          {mode: 0o644},
		"/home":                   {mode: dir | 0o755},
		"/home/ann":               {mode: dir | 0o755, uid: 1000},
		"/home/ann/site.yaml":     {mode: 0o644},
		"/home/ann/link":          {mode: link, link: "/etc/watchdog"},
		"/srv":                    {mode: link, link: "etc"},
		"/var":                    {mode: dir | 0o775},
		"/var/site.yaml":          {mode: 0o644},
	}
	for _, c := range []struct{ path, resolved, wrong string }{
		{path: "/etc/watchdog/site.yaml", resolved: "/etc/watchdog/site.yaml"},
		{path: "/etc/watchdog/ln.yaml", resolved: "/etc/watchdog/site.yaml"},
		{path: "/etc/watchdog/up.yaml", resolved: "/etc/watchdog/site.yaml"},
		{path: "/srv/watchdog/../watchdog/ln.yaml", resolved: "/etc/watchdog/site.yaml"},
		{path: "/etc/watchdog/open.yaml", wrong: "may be written by others than root (mode 0664)"},
		{path: "/etc/watchdog/mine.yaml", wrong: "belongs to user 1000"},
		{path: "/etc/watchdog/tmp.yaml", wrong: "lies below /tmp, which others than root may write (mode 0777)"},
		{path: "/etc/watchdog/loop.yaml", wrong: "more than 40 links"},
		{path: "/tmp/site.yaml", wrong: "lies below /tmp"},
		{path: "/home/ann/site.yaml", wrong: "lies below /home/ann, which belongs to user 1000"},
		{path: "/home/ann/link/site.yaml", wrong: "lies below /home/ann"},
		{path: "/var/site.yaml", wrong: "lies below /var, which others than root may write (mode 0775)"},
		{path: "/etc/watchdog/none.yaml", wrong: "file does not exist"},
	} {
		got, err := fakeOwners(base).resolve(c.path)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.path, err)
		case c.wrong == "" && got != c.resolved:
			t.Errorf("%s resolves to %s, want %s", c.path, got, c.resolved)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, want %q", c.path, err, c.wrong)
		}
	}
	open := map[string]siteNode{"/": {mode: dir | 0o777}}
	if _, err := fakeOwners(open).resolve("/site.yaml"); err == nil {
		t.Error("a root directory that anybody may write was taken")
	}
}

// TestReadSite meets the things that are no site file on this machine.
func TestReadSite(t *testing.T) {
	dir := t.TempDir()
	pipe, big, good := filepath.Join(dir, "pipe"), filepath.Join(dir, "big"), filepath.Join(dir, "good")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{big: siteMaxBytes + 10, good: 12} {
		if err := os.WriteFile(name, []byte(strings.Repeat("a", size)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		dir:                         "is a directory; give the file in it",
		pipe:                        "is not a regular file",
		filepath.Join(dir, "none"):  "does not exist; write a starter file with: watchdog site init",
		filepath.Join(good, "none"): "does not exist: a part of its path is a file",
	} {
		if _, err := readSite(name, false, siteOwners()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	data, err := readSite(big, false, siteOwners())
	if err != nil || len(data) != siteMaxBytes+1 {
		t.Fatalf("read %d bytes of the big file, %v", len(data), err)
	}
	if _, d := parseSite("big", data, testBook); d.err() == nil || d.err().Error() != "big: is larger than 1 MiB; no site file is" {
		t.Errorf("the big file: %v", d.err())
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := readSite(good, true, siteOwners()); !errors.As(err, new(siteOwnerError)) {
		t.Errorf("a file below a directory that others may write: %v", err)
	}
}
