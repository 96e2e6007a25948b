package hands

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"watchdog/remedies"
)

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestWriteRefusesNames(t *testing.T) {
	w, _ := rooted(t)
	for _, name := range []string{"", "etc/x", "/", "/etc/../etc/x", "/etc//x", "/etc/x/", "/etc/./x", "/etc/x\x00y"} {
		if err := w.Write(t.Context(), name, nil, file(t, "a", 0o644)); err == nil {
			t.Errorf("Write(%q) was done", name)
		}
	}
}

func TestWriteNamesTheMissingDirectory(t *testing.T) {
	w, _ := rooted(t)
	err := w.Write(t.Context(), "/etc/a/b/c", nil, file(t, "a", 0o644))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "directory /etc/a:") {
		t.Errorf("Write = %v; want that directory /etc/a does not exist", err)
	}
	if err := w.Write(t.Context(), "/etc/a/b/c", file(t, "a", 0o644), nil); err != nil {
		t.Errorf("removing what is gone with its directory: %v", err)
	}
}

func TestWriteFollowsLinksOfRootOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make links of root's and of others")
	}
	w, root := rooted(t)
	mkdirs(t, root+"/etc/real/sub", root+"/srv")
	for from, to := range map[string]string{
		"/etc/relative": "real", "/etc/up": "../etc/real/sub/..", "/srv/absolute": "/etc/relative/sub",
	} {
		if err := os.Symlink(to, root+from); err != nil {
			t.Fatal(err)
		}
	}
	for name, real := range map[string]string{
		"/etc/relative/x":   "/etc/real/x",
		"/etc/up/y":         "/etc/real/y",
		"/srv/absolute/z":   "/etc/real/sub/z",
		"/etc/up/sub/again": "/etc/real/sub/again",
	} {
		if err := w.Write(t.Context(), name, nil, file(t, name, 0o644)); err != nil {
			t.Error(err)
		} else if got := node(t, root+real); got == nil || string(got.Data) != name {
			t.Errorf("%s is not at %s", name, real)
		}
	}
	if err := os.Lchown(root+"/etc/relative", 1, 1); err != nil {
		t.Fatal(err)
	}
	err := w.Write(t.Context(), "/etc/relative/x2", nil, file(t, "a", 0o644))
	if !errors.Is(err, errLink) || !strings.Contains(err.Error(), "/etc/relative") {
		t.Errorf("Write = %v; want that the link is refused", err)
	}
	if node(t, root+"/etc/real/x2") != nil {
		t.Error("it was written over the link all the same")
	}
	if err := os.Symlink("round", root+"/etc/round"); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), "/etc/round/x", nil, file(t, "a", 0o644)); !errors.Is(err, unix.ELOOP) {
		t.Errorf("Write = %v; want ELOOP", err)
	}
}

// The last name is never followed: a link in its place is what changed.
func TestWriteDoesNotFollowTheNameItself(t *testing.T) {
	w, root := rooted(t)
	put(t, root+"/etc/shadow", file(t, "a", 0o600))
	put(t, root+"/etc/x", link(t, "shadow"))
	for _, n := range []struct{ old, new string }{{"a", "a"}, {"a", "b"}} {
		err := w.Write(t.Context(), "/etc/x", file(t, n.old, 0o600), file(t, n.new, 0o666))
		if !errors.Is(err, remedies.ErrStale) {
			t.Errorf("Write = %v; want ErrStale", err)
		}
	}
	if got := node(t, root+"/etc/shadow"); !got.Equal(file(t, "a", 0o600)) {
		t.Errorf("what the link leads to was changed: %v", got)
	}
}
