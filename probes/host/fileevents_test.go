package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/packaging/lab/need"
)

// filesIn does things to a directory, and fails the test where it can't.
type filesIn struct {
	t   *testing.T
	dir string
}

func (f filesIn) path(name string) string { return filepath.Join(f.dir, name) }

func (f filesIn) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f filesIn) write(name, data string) {
	f.t.Helper()
	f.must(os.WriteFile(f.path(name), []byte(data), 0o644))
}

func (f filesIn) mkdir(name string)        { f.t.Helper(); f.must(os.MkdirAll(f.path(name), 0o755)) }
func (f filesIn) remove(name string)       { f.t.Helper(); f.must(os.RemoveAll(f.path(name))) }
func (f filesIn) move(name, to string)     { f.t.Helper(); f.must(os.Rename(f.path(name), f.path(to))) }
func (f filesIn) link(target, name string) { f.t.Helper(); f.must(os.Symlink(target, f.path(name))) }

// TestFilesAreWatchedForGood: after each thing that befell the directories, the
// file's next change is still told.
func TestFilesAreWatchedForGood(t *testing.T) {
	for name, befalls := range map[string]func(filesIn, *listener){
		"nothing": func(filesIn, *listener) {},
		"its own directory is made again": func(f filesIn, l *listener) {
			f.remove("a/b")
			f.mkdir("a/b")
		},
		"one above is made again": func(f filesIn, l *listener) {
			f.remove("a")
			f.mkdir("a/b")
		},
		"one above is gone for a while": func(f filesIn, l *listener) {
			f.remove("a")
			l.quiet()
			f.mkdir("a")
			l.quiet()
			f.mkdir("a/b")
		},
		"one above is moved away and another one made": func(f filesIn, l *listener) {
			f.move("a", "old")
			l.quiet()
			f.write("old/b/file", "not ours")
			f.mkdir("a/b")
		},
		"another one is moved in its place": func(f filesIn, l *listener) {
			f.mkdir("new/b")
			f.remove("a/b/file")
			f.must(unix.Renameat2(unix.AT_FDCWD, f.path("new"), unix.AT_FDCWD, f.path("a"), unix.RENAME_EXCHANGE))
		},
		"it is moved away and back": func(f filesIn, l *listener) {
			f.move("a", "old")
			l.quiet()
			f.move("old", "a")
		},
		"it becomes a link to another": func(f filesIn, l *listener) {
			f.move("a", "1")
			f.mkdir("2/b")
			f.link("1", "a")
			l.quiet()
			f.link("2", "next")
			f.move("next", "a")
		},
		"it was a file for a while": func(f filesIn, l *listener) {
			f.remove("a")
			f.write("a", "")
			l.quiet()
			f.remove("a")
			f.mkdir("a/b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := filesIn{t, t.TempDir()}
			f.mkdir("a/b")
			f.write("a/b/file", "1")
			want := f.path("a/b/file")
			l := listenTo(t, fileSource{sweep: time.Hour}.listen, want)
			befalls(f, l)
			l.quiet()
			f.write("a/b/file", "2")
			l.hears(want)
			l.quiet()
			f.write("a/b/neighbour", "")
			f.write("elsewhere", "")
			select {
			case n := <-l.fired:
				t.Errorf("fired %s for its neighbour", n)
			case <-time.After(100 * time.Millisecond):
			}
			f.must(os.Chmod(f.path("a"), 0o700))
			l.hears(want)
		})
	}
}

// TestFilesThatComeWithTheirDirectories: nothing is told of what is made in a
// directory before it is watched, so its coming counts as theirs.
func TestFilesThatComeWithTheirDirectories(t *testing.T) {
	f := filesIn{t, t.TempDir()}
	l := listenTo(t, fileSource{sweep: time.Hour}.listen, f.path("a/b/c/file"))
	f.mkdir("made/b/c")
	f.write("made/b/c/file", "1")
	l.quiet()
	f.move("made", "a")
	l.hears(f.path("a/b/c/file"))
	l.quiet()
	f.must(os.Remove(f.path("a/b/c/file")))
	l.hears(f.path("a/b/c/file"))
}

func TestADirectoryChangesWithWhatIsInIt(t *testing.T) {
	f := filesIn{t, t.TempDir()}
	l := listenTo(t, fileSource{sweep: time.Hour}.listen, f.path("conf.d"))
	f.mkdir("conf.d")
	l.hears(f.path("conf.d"))
	l.quiet()
	f.write("conf.d/10.conf", "")
	l.hears(f.path("conf.d"))
}

// TestTooManyEvents: the kernel drops what nobody reads, and says so.
func TestTooManyEvents(t *testing.T) {
	f := filesIn{t, t.TempDir()}
	f.mkdir("a")
	f.mkdir("b")
	l := listenTo(t, fileSource{sweep: time.Hour}.listen, f.path("a/file"), f.path("b/file"))
	most, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	f.must(err)
	f.write("a/file", "")
	f.write("a/other", "")
	for range len(most) { // the digits of the limit: a loop that is long enough
		for range 4000 {
			for _, n := range []string{"a/file", "a/other"} {
				f.must(os.Chmod(f.path(n), 0o600))
			}
		}
	}
	f.remove("b") // nobody hears of it
	f.mkdir("b")
	l.hears(f.path("a/file"))
	for n := ""; n != f.path("b/file"); {
		select {
		case n = <-l.fired:
		case err := <-l.ended:
			t.Fatalf("lost: %v", err)
		case <-time.After(patience):
			t.Fatal("what was dropped is not made up for")
		}
	}
	l.quiet()
	f.write("b/file", "")
	l.hears(f.path("b/file"))
}

// TestInotifyIsUsedUp has limits of its own, which a namespace of users gives.
func TestInotifyIsUsedUp(t *testing.T) {
	if !need.Namespace(t) {
		return
	}
	f := filesIn{t, t.TempDir()}
	listen := func() string {
		err := fileSource{sweep: time.Hour}.listen(t.Context(), []string{f.path("file")}, func(string) { t.Error("listens") })
		return err.Error()
	}
	f.must(os.WriteFile("/proc/sys/user/max_inotify_watches", []byte("1"), 0))
	if err := listen(); !strings.Contains(err, "fs.inotify.max_user_watches is ") {
		t.Errorf("watches: %s", err)
	}
	f.must(os.WriteFile("/proc/sys/user/max_inotify_instances", []byte("0"), 0))
	if err := listen(); !strings.Contains(err, "fs.inotify.max_user_instances is ") {
		t.Errorf("instances: %s", err)
	}
	var was unix.Rlimit
	f.must(unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	f.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	if err := listen(); strings.Contains(err, "fs.inotify") || !strings.Contains(err, "too many open files") {
		t.Errorf("descriptors: %s", err)
	}
}

// TestWhatIsMountedOver: no event tells of a mount.
func TestWhatIsMountedOver(t *testing.T) {
	if !need.Namespace(t) {
		return
	}
	f := filesIn{t, t.TempDir()}
	f.mkdir("a/b")
	want := f.path("a/b/file")
	l := listenTo(t, fileSource{sweep: 20 * time.Millisecond}.listen, want)
	l.quiet()
	f.must(unix.Mount("test", f.path("a"), "tmpfs", 0, ""))
	l.hears(want)
	f.mkdir("a/b")
	l.quiet()
	f.write("a/b/file", "")
	l.hears(want)
	l.quiet()
	f.must(unix.Unmount(f.path("a"), 0))
	l.hears(want)
	l.quiet()
	f.write("a/b/file", "")
	l.hears(want)
}
