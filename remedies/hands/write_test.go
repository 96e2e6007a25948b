package hands

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/remedies"
)

func TestWriteChangesEachKindOfThing(t *testing.T) {
	tests := map[string]struct{ old, new *host.Node }{
		"create file":        {nil, file(t, "a\n", 0o640)},
		"create empty file":  {nil, file(t, "", 0o600)},
		"replace file":       {file(t, "a\n", 0o644), file(t, "b\n", 0o600)},
		"change mode":        {file(t, "a\n", 0o600), file(t, "a\n", 0o755)},
		"remove file":        {file(t, "a\n", 0o644), nil},
		"create link":        {nil, link(t, "../x")},
		"bend link":          {link(t, "../x"), link(t, "/y")},
		"file becomes link":  {file(t, "a\n", 0o644), link(t, "/y")},
		"link becomes file":  {link(t, "/nowhere"), file(t, "a\n", 0o644)},
		"remove link":        {link(t, "/nowhere"), nil},
		"create directory":   {nil, dir(t, 0o710)},
		"change directory":   {dir(t, 0o700), dir(t, 0o755)},
		"set-group of a dir": {dir(t, 0o755), &host.Node{Mode: fs.ModeDir | fs.ModeSetgid | 0o755, Owner: dir(t, 0).Owner, Group: dir(t, 0).Group}},
		"remove directory":   {dir(t, 0o700), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, root := rooted(t)
			at := root + "/etc/x"
			if tt.old != nil {
				put(t, at, tt.old)
			}
			if err := w.Write(t.Context(), "/etc/x", tt.old, tt.new); err != nil {
				t.Fatal(err)
			}
			if got := node(t, at); !got.Equal(tt.new) {
				t.Errorf("after Write: %s", cmp.Diff(tt.new, got))
			}
			if err := w.Write(t.Context(), "/etc/x", tt.old, tt.new); err != nil {
				t.Errorf("the same once more: %v", err)
			}
			if err := w.Write(t.Context(), "/etc/x", tt.new, tt.old); err != nil {
				t.Fatalf("back: %v", err)
			}
			if got := node(t, at); !got.Equal(tt.old) {
				t.Errorf("after the way back: %s", cmp.Diff(tt.old, got))
			}
			if err := w.Write(t.Context(), "/etc/x", tt.new, tt.old); err != nil {
				t.Errorf("back once more: %v", err)
			}
			for _, left := range names(t, root+"/etc") {
				if left != "x" {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestWriteLeavesAloneWhatChanged(t *testing.T) {
	old := file(t, "a\n", 0o644)
	tests := map[string]struct {
		now  *host.Node
		want string
	}{
		"bytes":              {file(t, "A\n", 0o644), "content"},
		"longer":             {file(t, "a\nb and much more than either\n", 0o644), "content"},
		"mode":               {file(t, "a\n", 0o600), "mode"},
		"gone":               {nil, "existence"},
		"a link of the same": {link(t, "a\n"), "type"},
		"a directory":        {dir(t, 0o755), "type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, root := rooted(t)
			if tt.now != nil {
				put(t, root+"/etc/x", tt.now)
			}
			err := w.Write(t.Context(), "/etc/x", old, file(t, "new\n", 0o644))
			if !errors.Is(err, remedies.ErrStale) || !strings.Contains(err.Error(), "/etc/x: its "+tt.want) {
				t.Errorf("Write = %v; want that the %s is stale", err, tt.want)
			}
			if got := node(t, root+"/etc/x"); !got.Equal(tt.now) {
				t.Errorf("it was changed: %s", cmp.Diff(tt.now, got))
			}
		})
	}
	t.Run("made meanwhile", func(t *testing.T) {
		w, root := rooted(t)
		put(t, root+"/etc/x", old)
		if err := w.Write(t.Context(), "/etc/x", nil, file(t, "new\n", 0o644)); !errors.Is(err, remedies.ErrStale) {
			t.Errorf("Write = %v; want ErrStale", err)
		}
	})
	t.Run("owner", func(t *testing.T) {
		w, root := rooted(t)
		put(t, root+"/etc/x", old)
		err := w.Write(t.Context(), "/etc/x", owned(old, "daemon", old.Group), file(t, "new\n", 0o644))
		if !errors.Is(err, remedies.ErrStale) || !strings.Contains(err.Error(), "owner") {
			t.Errorf("Write = %v; want that the owner is stale", err)
		}
	})
}

func TestWriteOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	for name, n := range map[string]*host.Node{
		"file": remedies.File([]byte("a"), "daemon", "mail", 0o640),
		"dir":  remedies.Directory("daemon", "mail", 0o750),
		"link": owned(remedies.Link("/x"), "daemon", "mail"),
	} {
		t.Run(name, func(t *testing.T) {
			w, root := rooted(t)
			if err := w.Write(t.Context(), "/etc/x", nil, n); err != nil {
				t.Fatal(err)
			}
			if got := node(t, root+"/etc/x"); !got.Equal(n) {
				t.Error(cmp.Diff(n, got))
			}
			mine := owned(n, "root", "root")
			if err := w.Write(t.Context(), "/etc/x", n, mine); err != nil {
				t.Fatal(err)
			}
			if got := node(t, root+"/etc/x"); !got.Equal(mine) {
				t.Error(cmp.Diff(mine, got))
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		w, root := rooted(t)
		err := w.Write(t.Context(), "/etc/x", nil, remedies.File(nil, "nobody-of-that-name", "root", 0o600))
		if err == nil || !strings.Contains(err.Error(), `no user "nobody-of-that-name"`) {
			t.Errorf("Write = %v; want that there is no such user", err)
		}
		if got := names(t, root+"/etc"); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

// A change of mode keeps the inode, so that whoever has the file open or
// watches it isn't cut off; a file of two names is not changed under the other.
func TestWriteModeInPlace(t *testing.T) {
	w, root := rooted(t)
	at := root + "/etc/x"
	put(t, at, file(t, "a", 0o644))
	before := inode(t, at)
	if err := w.Write(t.Context(), "/etc/x", file(t, "a", 0o644), file(t, "a", 0o600)); err != nil {
		t.Fatal(err)
	}
	if inode(t, at) != before {
		t.Error("the file was replaced for a change of mode")
	}
	if err := os.Link(at, root+"/etc/other"); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), "/etc/x", file(t, "a", 0o600), file(t, "a", 0o666)); err != nil {
		t.Fatal(err)
	}
	if got := node(t, root+"/etc/other"); got.Mode != 0o600 {
		t.Errorf("the file's other name has mode %04o now", got.Mode)
	}
	if got := node(t, at); got.Mode != 0o666 {
		t.Errorf("the file has mode %04o", got.Mode)
	}
}

func TestWriteIsAtomic(t *testing.T) {
	w, root := rooted(t)
	a, b := file(t, strings.Repeat("a", 1<<16), 0o644), file(t, strings.Repeat("b", 1<<16), 0o644)
	put(t, root+"/etc/x", a)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 1)
	go func() {
		for ctx.Err() == nil {
			data, err := os.ReadFile(root + "/etc/x")
			if err != nil || len(data) != 1<<16 || strings.Trim(string(data), "a") != "" && strings.Trim(string(data), "b") != "" {
				seen <- "a reader saw something half written"
				return
			}
		}
		seen <- ""
	}()
	for range 50 {
		for _, change := range [][2]*host.Node{{a, b}, {b, a}} {
			if err := w.Write(t.Context(), "/etc/x", change[0], change[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if s := <-seen; s != "" {
		t.Error(s)
	}
}

func TestWriteCancelled(t *testing.T) {
	w, root := rooted(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(ctx, "/etc/x", nil, file(t, "a", 0o644)); !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v; want context.Canceled", err)
	}
	if node(t, root+"/etc/x") != nil {
		t.Error("it was written all the same")
	}
}

func TestWriteKernelParameter(t *testing.T) {
	w, root := rooted(t)
	const name = "/proc/sys/net/ipv6/conf/eth0/accept_ra"
	at := filepath.Join(root, name)
	put(t, at, file(t, "1\n", 0o644))
	before := inode(t, at)
	// Owner and mode are the kernel's, and so is the newline.
	old, zero := remedies.File([]byte("1"), "root", "root", 0o600), remedies.File([]byte("0"), "root", "root", 0o600)
	for range 2 {
		if err := w.Write(t.Context(), name, old, zero); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(at); string(got) != "0\n" || inode(t, at) != before {
		t.Errorf("holds %q; want 0 in the same place", got)
	}
	two := remedies.File([]byte("2\n"), "root", "root", 0o644)
	if err := w.Write(t.Context(), name, old, two); !errors.Is(err, remedies.ErrStale) {
		t.Errorf("Write = %v; want ErrStale", err)
	}
	if err := w.Write(t.Context(), name, zero, nil); err == nil {
		t.Error("a parameter was removed")
	}
	if got := names(t, filepath.Dir(at)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// What the host sees is what is compared and written, whatever its mode and
// owner, and is seen again afterwards.
func TestWriteAgreesWithTheHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	h, err := host.Open(t.Context())
	if err != nil {
		t.Skipf("no host to see by: %v", err)
	}
	defer h.Close()
	w, root := rooted(t)
	for name, mode := range map[string]fs.FileMode{
		"/etc/file": 0o640, "/etc/program": fs.ModeSetuid | 0o755, "/etc/dir": fs.ModeDir | fs.ModeSetgid | fs.ModeSticky | 0o775, "/etc/link": fs.ModeSymlink | 0o777,
	} {
		n := &host.Node{Mode: mode, Owner: "12345", Group: "daemon"}
		if !mode.IsDir() {
			n.Data = []byte("a")
		}
		for _, change := range [][2]*host.Node{{nil, n}, {n, owned(n, "daemon", "54321")}, {owned(n, "daemon", "54321"), n}} {
			if err := w.Write(t.Context(), name, change[0], change[1]); err != nil {
				t.Fatal(err)
			}
			if got, err := h.FS.Node(root + name); err != nil || !got.Equal(change[1]) {
				t.Errorf("%s is seen as %+v, %v; want %+v", name, got, err, change[1])
			}
		}
	}
}
