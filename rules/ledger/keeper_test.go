package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/packaging/lab/need"
	"watchdog/rules"
)

func keeperOf(t *testing.T, dir string) *Keeper {
	t.Helper()
	k := Keep(dir, func() time.Time { return noon })
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func tried(t *testing.T, k *Keeper) []rules.Attempt {
	t.Helper()
	p, err := k.Past()
	if err != nil {
		t.Fatal(err)
	}
	return p.Attempts
}

// filled returns the state directory of an earlier run with two attempts, one of
// them never ended.
func filled(t *testing.T, dir string) {
	t.Helper()
	k := keeperOf(t, dir)
	id, err := k.Begin(attempt(noon))
	if err != nil {
		t.Fatal(err)
	}
	a := attempt(noon)
	a.Outcome = rules.Healed
	if err := k.End(id, a); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Begin(attempt(noon)); err != nil {
		t.Fatal(err)
	}
	for range 300 { // so that there is something to be cut off
		if _, err := k.Begin(attempt(noon.Add(-keep - time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// damages are what may befall the file.
var damages = map[string]func(path string, size int64) error{
	"overwritten from the start": func(path string, _ int64) error {
		return overwrite(path, 0, bytes.Repeat([]byte("garbage "), 4096))
	},
	"overwritten in the middle": func(path string, size int64) error {
		return overwrite(path, 2*int64(os.Getpagesize()), bytes.Repeat([]byte("\xff"), int(size)-2*os.Getpagesize()))
	},
	"another file": func(path string, _ int64) error {
		return os.WriteFile(path, []byte("not a database"), 0o600)
	},
	"cut off":        func(path string, size int64) error { return os.Truncate(path, size/4) },
	"cut to nothing": func(path string, _ int64) error { return os.Truncate(path, 100) },
}

func overwrite(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(data, at)
	return err
}

// TestDamageIsSetAside, before the start and under a running daemon: said until
// a person has taken it away.
func TestDamageIsSetAside(t *testing.T) {
	for name, damage := range damages {
		for _, when := range []string{"before", "meanwhile"} {
			t.Run(name+", "+when, func(t *testing.T) {
				dir := t.TempDir()
				filled(t, dir)
				path := filepath.Join(dir, "ledger")
				k := keeperOf(t, dir)
				if when == "meanwhile" {
					tried(t, k)
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := damage(path, info.Size()); err != nil {
					t.Fatal(err)
				}
				if when == "before" {
					if got := tried(t, k); len(got) != 0 {
						t.Errorf("read %+v of it", got)
					}
				}
				// The write that finds it may fail; no later one does.
				if id, err := k.Begin(attempt(noon)); err == nil {
					_ = k.End(id, attempt(noon))
				}
				_ = k.Trouble()
				if _, err := k.Begin(attempt(noon)); err != nil {
					t.Fatalf("does not write: %v", err)
				}
				if k.Aside() == "" && name == "cut off" && when == "meanwhile" {
					return // what is written next makes it as long again
				}
				if why := k.Trouble(); !strings.Contains(why, k.Aside()) {
					t.Errorf("said: %q", why)
				}
				if err := os.Remove(k.Aside()); err != nil {
					t.Fatal(err)
				}
				if why := k.Trouble(); why != "" || k.Unread() {
					t.Errorf("still said: %q", why)
				}
			})
		}
	}
}

// TestTheLedgerIsTheOneOfItsName: what is open and has no name any more remembers
// for nobody.
func TestTheLedgerIsTheOneOfItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	k := keeperOf(t, dir)
	id, err := k.Begin(attempt(noon))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	a := attempt(noon)
	a.Outcome = rules.Healed
	if err := k.End(id, a); err != nil {
		t.Fatal(err)
	}
	if err := k.Forget(id); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if got := tried(t, keeperOf(t, dir)); len(got) != 1 || got[0].Outcome != rules.Healed {
		t.Errorf("remembered: %+v", got)
	}
}

// TestWhatCanNotBeWrittenIsRead on file systems of its own.
func TestWhatCanNotBeWrittenIsRead(t *testing.T) {
	if !need.Namespace(t) {
		return
	}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("test", dir, "tmpfs", 0, "size=1m,mode=700"))
	defer unix.Unmount(dir, unix.MNT_DETACH)
	filled(t, dir)
	fill := filepath.Join(dir, "fill")
	for name, c := range map[string]struct{ bad, well func() error }{
		"read-only": {
			func() error { return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "") },
			func() error { return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, "") },
		},
		"full": {
			func() error { _ = os.WriteFile(fill, make([]byte, 1<<20), 0o600); return nil },
			func() error { return os.Remove(fill) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(c.bad())
			k := keeperOf(t, dir)
			if got := tried(t, k); len(got) == 0 || k.Unread() {
				t.Errorf("%d attempts are remembered, unread %v", len(got), k.Unread())
			}
			var failed error
			for range 5000 { // pages that are free have room for some
				if _, err := k.Begin(attempt(noon)); err != nil {
					failed = err
					break
				}
			}
			// Where it is full, there may be room for the little that is tried
			// again: host.StateUnwritable sees that there is next to none.
			if why := k.Trouble(); failed == nil || why == "" && name != "full" {
				t.Errorf("written (%v), and said %q", failed, why)
			}
			must(c.well())
			if why := k.Trouble(); why != "" {
				t.Errorf("said when all is well: %q", why)
			}
			if _, err := k.Begin(attempt(noon)); err != nil {
				t.Error(err)
			}
			must(k.Close())
		})
	}
}

// TestAnotherProcessHasIt: then nobody knows what has been tried.
func TestAnotherProcessHasIt(t *testing.T) {
	dir := t.TempDir()
	other := open1(t, dir)
	k := keeperOf(t, dir)
	if _, err := k.Past(); err == nil || !k.Unread() {
		t.Errorf("read all the same: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if why := k.Trouble(); why != "" || k.Unread() {
		t.Errorf("free again, and said: %q, unread %v", why, k.Unread())
	}
}
