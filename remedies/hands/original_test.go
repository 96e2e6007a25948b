package hands

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
)

func change(t *testing.T, w *Hands, name string, nodes ...*host.Node) {
	t.Helper()
	for i := range len(nodes) - 1 {
		if err := w.Write(t.Context(), name, nodes[i], nodes[i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOriginalIsKeptOnce(t *testing.T) {
	w, root := rooted(t)
	put(t, root+"/etc/gai.conf", file(t, "theirs\n", 0o644))
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(root+"/etc/gai.conf", when, when); err != nil {
		t.Fatal(err)
	}
	kept := root + originals + "/etc/gai.conf"
	change(t, w, "/etc/gai.conf", file(t, "theirs\n", 0o644), file(t, "theirs\n", 0o600))
	if node(t, kept) != nil {
		t.Error("kept although no byte was lost")
	}
	if err := os.Chtimes(root+"/etc/gai.conf", when, when); err != nil {
		t.Fatal(err)
	}
	change(t, w, "/etc/gai.conf", file(t, "theirs\n", 0o600), file(t, "1\n", 0o644), file(t, "2\n", 0o644), nil, file(t, "3\n", 0o644), nil)
	if got := node(t, kept); !got.Equal(file(t, "theirs\n", 0o600)) {
		t.Errorf("kept is %+v; want the first bytes, 0600", got)
	}
	text, err := os.ReadFile(kept + ".watchdog.json")
	var about original
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := original{Type: "file", Mode: "0600", Owner: uint32(os.Getuid()), Group: uint32(os.Getgid()), MTime: when}
	if about != want {
		t.Errorf("kept about it: %+v; want %+v", about, want)
	}
	if got := node(t, root+originals); got.Mode.Perm() != 0o700 {
		t.Errorf("the directory has mode %v", got.Mode)
	}
}

func TestOriginalOfRemovedFilesAndLinks(t *testing.T) {
	w, root := rooted(t)
	put(t, root+"/etc/default", link(t, "../sites-available/default"))
	put(t, root+"/etc/cron", file(t, "theirs\n", 0o755))
	change(t, w, "/etc/default", link(t, "../sites-available/default"), nil)
	change(t, w, "/etc/cron", file(t, "theirs\n", 0o755), nil)
	if got, _ := os.ReadFile(root + originals + "/etc/default"); string(got) != "../sites-available/default" {
		t.Errorf("of the link is kept %q", got)
	}
	if got, _ := os.ReadFile(root + originals + "/etc/cron"); string(got) != "theirs\n" {
		t.Errorf("of the file is kept %q", got)
	}
}

func TestOriginalNotOfOurOwn(t *testing.T) {
	w, root := rooted(t)
	change(t, w, "/etc/ours", nil, file(t, "1", 0o644), file(t, "2", 0o644))
	change(t, w, "/etc/second", nil, file(t, "1", 0o644))
	if got := names(t, root+originals); len(got) != 1 || got[0] != ".created" {
		t.Errorf("kept: %v; want the list alone", got)
	}
	if got, _ := os.ReadFile(root + created); string(got) != "/etc/ours\n/etc/second\n" {
		t.Errorf("the list is %q", got)
	}
	// Once it is gone, a file of the same name is somebody else's.
	change(t, w, "/etc/ours", file(t, "2", 0o644), nil)
	put(t, root+"/etc/ours", file(t, "theirs", 0o644))
	change(t, w, "/etc/ours", file(t, "theirs", 0o644), file(t, "3", 0o644))
	if got, _ := os.ReadFile(root + originals + "/etc/ours"); string(got) != "theirs" {
		t.Errorf("of the second file is kept %q", got)
	}
	// A line cut off by a crash does not swallow the next.
	if err := os.WriteFile(root+created, []byte("/etc/second\n/etc/thi"), 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, w, "/etc/fourth", nil, file(t, "1", 0o644), file(t, "2", 0o644))
	if node(t, root+originals+"/etc/fourth") != nil {
		t.Error("an original of our own file is kept")
	}
}

// tiny mounts a file system of 64 KiB.
func tiny(t *testing.T, at string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system to fill it")
	}
	mkdirs(t, at)
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestWriteDiskFull(t *testing.T) {
	w, root := rooted(t)
	tiny(t, root+"/etc/small")
	old, big := file(t, "theirs\n", 0o640), file(t, strings.Repeat("x", 1<<20), 0o640)
	put(t, root+"/etc/small/x", old)
	for _, from := range []*host.Node{old, nil} {
		name := "/etc/small/x"
		if from == nil {
			name = "/etc/small/y"
		}
		err := w.Write(t.Context(), name, from, big)
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), name) {
			t.Errorf("Write = %v; want that there is no space for %s", err, name)
		}
		if got := node(t, root+name); !got.Equal(from) {
			t.Errorf("%s is now %d bytes", name, len(got.Data))
		}
	}
	if got := names(t, root+"/etc/small"); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// Without a place to keep it, somebody else's file is not replaced; what is our
// own is, and what was done can be undone.
func TestWriteWithoutStateDirectory(t *testing.T) {
	w, root := rooted(t)
	change(t, w, "/etc/ours", nil, file(t, "1", 0o644))
	tiny(t, root+"/var/lib/watchdog/original/etc")
	if err := os.WriteFile(root+"/var/lib/watchdog/original/etc/fill", make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := file(t, "theirs", 0o644)
	put(t, root+"/etc/theirs", theirs)
	if err := w.Write(t.Context(), "/etc/theirs", theirs, file(t, "2", 0o644)); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Write = %v; want that the original can't be kept", err)
	}
	if got := node(t, root+"/etc/theirs"); !got.Equal(theirs) {
		t.Error("it was replaced all the same")
	}
	change(t, w, "/etc/ours", file(t, "1", 0o644), file(t, "2", 0o644), file(t, "1", 0o644), nil)
}

func TestWriteSweepsLeftovers(t *testing.T) {
	w, root := rooted(t)
	const gone = ".x.watchdog-999999999~" // more than any process id
	for _, name := range []string{gone, ".x.watchdog-1~", ".xy.watchdog-999999999~", ".x.watchdog-~"} {
		put(t, root+"/etc/"+name, file(t, "half", 0o600))
	}
	change(t, w, "/etc/x", nil, file(t, "a", 0o644))
	want := ".x.watchdog-1~ .x.watchdog-~ .xy.watchdog-999999999~ x"
	if got := strings.Join(names(t, root+"/etc"), " "); got != want {
		t.Errorf("there are %s; want %s", got, want)
	}
}
