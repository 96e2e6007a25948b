package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/packaging/lab/need"
)

// TestStateUnwritable mounts what it needs in a namespace of its own.
func TestStateUnwritable(t *testing.T) {
	if !need.Namespace(t) {
		return
	}
	mounted := func(options string) func(filesIn) {
		return func(f filesIn) {
			f.mkdir("state")
			f.must(unix.Mount("test", f.path("state"), "tmpfs", 0, "mode=700,"+options))
			f.t.Cleanup(func() { _ = unix.Unmount(f.path("state"), 0) })
		}
	}
	for name, c := range map[string]struct {
		make func(filesIn)
		want string
	}{
		"well":    {func(f filesIn) { f.must(os.Mkdir(f.path("state"), 0o700)) }, ""},
		"missing": {func(filesIn) {}, "not there"},
		"a file":  {func(f filesIn) { f.write("state", "") }, "no directory"},
		"open": {func(f filesIn) {
			f.mkdir("state")
			f.must(os.Chmod(f.path("state"), 0o770))
		}, "mode 0770"},
		"readable":    {func(f filesIn) { f.mkdir("state") }, ""},
		"a link":      {func(f filesIn) { f.mkdir("disk"); f.link("disk", "state") }, ""},
		"a dead link": {func(f filesIn) { f.link("disk", "state") }, "link to nothing"},
		"of its own":  {mounted("size=8m"), ""},
		"read-only": {func(f filesIn) {
			mounted("size=8m")(f)
			f.must(unix.Mount("", f.path("state"), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		}, "read-only"},
		"full": {func(f filesIn) {
			mounted("size=4m")(f)
			f.write("state/fill", strings.Repeat("x", 3600<<10))
		}, "KiB free"},
		"no inodes": {mounted("size=8m,nr_inodes=10"), "inodes left"},
	} {
		t.Run(name, func(t *testing.T) {
			f := filesIn{t, t.TempDir()}
			c.make(f)
			why, err := StateUnwritable(newFiles(), f.path("state"))
			if err != nil || (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
				t.Errorf("unwritable: %q, %v; want %q", why, err, c.want)
			}
		})
	}
}

func TestStateOfSomebodyElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("left out: only root can give a directory away")
	}
	f := filesIn{t, t.TempDir()}
	f.mkdir("state")
	f.must(os.Chown(f.path("state"), 1, 1))
	if why, err := StateUnwritable(newFiles(), f.path("state")); err != nil || !strings.Contains(why, "not root") {
		t.Errorf("unwritable: %q, %v", why, err)
	}
}

func TestWritersDie(t *testing.T) {
	alive := func(w Writer) bool {
		t.Helper()
		yes, err := w.Alive(newFiles())
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	me, err := Me()
	if err != nil || !alive(me) {
		t.Fatalf("%+v is dead (%v)", me, err)
	}
	if alive(Writer{}) {
		t.Error("nobody is alive")
	}
	for _, w := range []Writer{{me.PID, me.Start + 1, me.At}, {me.PID, me.Start, Booted().Add(-time.Minute)}} {
		if alive(w) {
			t.Errorf("%+v counts as %+v", w, me)
		}
	}
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	start, ok := processStart(c.Process.Pid)
	child := Writer{c.Process.Pid, start, me.At}
	if !ok || !alive(child) {
		t.Error("a child counts as dead")
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if alive(child) {
		t.Error("one that was killed and is not buried counts as alive")
	}
	_ = c.Wait()
	if alive(child) {
		t.Error("one that was killed counts as alive")
	}
}
