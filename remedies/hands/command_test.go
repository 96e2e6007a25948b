package hands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// shell returns hands whose only command, "sh", runs script; p says the rest.
func shell(script string, p program) *Hands {
	w := New(hosttest.New(), Options{})
	p.paths = []string{"/bin/sh"}
	p.argv = append([]string{"-c", `eval "$SCRIPT"`, "sh"}, p.argv...)
	p.env = append(p.env, "SCRIPT="+script)
	if p.timeout == 0 {
		p.timeout = 20 * time.Second
	}
	w.programs = map[string]program{"sh": p}
	w.grace = 500 * time.Millisecond
	return w
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: programs of the list run as root")
	}
}

func TestRunOutputAndInput(t *testing.T) {
	needRoot(t)
	w := shell(`cat; echo "$1/$2/$3"`, program{argv: []string{"$2-$1", "$@"}, places: []string{".*", ".*"}, more: ".*"})
	out, err := w.Run(t.Context(), remedies.Command{Name: "sh", Args: []string{"a$2", "b", "c d", "e"}, Stdin: []byte("in\n")})
	if want := "in\nb-a$2/c d/e\n"; err != nil || string(out) != want {
		t.Errorf("Run = %q, %v; want %q", out, err, want)
	}
}

func TestRunEnvironment(t *testing.T) {
	needRoot(t)
	t.Setenv("LD_PRELOAD_OF_MINE", "x")
	w := shell("env | grep -v -e ^PWD= -e ^_= -e ^SCRIPT= | sort", program{env: []string{"A={java}"}, secrets: []string{"PW"}})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Run(t.Context(), remedies.Command{Name: "sh", Env: map[string]host.Secret{"PW": host.NewSecret("s3cret")}})
	java := w.h.Facts.Layout.JavaHome
	want := "A=" + java + "\nHOME=" + me.HomeDir + "\nLANG=C.UTF-8\nPATH=" + binPath + "\nPW=s3cret\n"
	if err != nil || string(out) != want {
		t.Errorf("environment is %q, %v; want %q", out, err, want)
	}
}

func TestRunErrors(t *testing.T) {
	needRoot(t)
	secret := map[string]host.Secret{"PW": host.NewSecret("s3cret-of-ours")}
	tests := map[string]struct {
		script string
		want   string
	}{
		"status and complaint":  {`echo out; echo "bad line 3" >&2; exit 4`, "run sh: exit status 4: bad line 3"},
		"complaint on output":   {`echo "bad line 4"; exit 1`, "run sh: exit status 1: bad line 4"},
		"secret in complaint":   {`echo "no $PW" >&2; exit 1`, "run sh: exit status 1: no [redacted]"},
		"killed by itself":      {`kill -9 $$`, "run sh: signal: killed"},
		"not valid text":        {`printf 'a\377b' >&2; exit 1`, "run sh: exit status 1: ab"},
		"secret where it's cut": {`echo "$PW" >&2; head -c 4090 /dev/zero | tr '\0' x >&2; exit 1`, "run sh: exit status 1: cted]\n" + strings.Repeat("x", 4090)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := shell(tt.script, program{secrets: []string{"PW"}}).Run(t.Context(), remedies.Command{Name: "sh", Env: secret})
			var failed *host.CommandError
			if !errors.As(err, &failed) || err.Error() != tt.want {
				t.Errorf("Run = %v; want %s", err, tt.want)
			}
		})
	}
}

func TestRunOutputIsBounded(t *testing.T) {
	needRoot(t)
	out, err := shell("head -c 10000000 /dev/zero", program{}).Run(t.Context(), remedies.Command{Name: "sh"})
	if err != nil || len(out) != maxStdout {
		t.Errorf("Run gave %d bytes, %v; want %d", len(out), err, maxStdout)
	}
}

// What is started is ended as a whole: by the asking signal if it listens, else
// by the one that doesn't ask; a grandchild too, whose output nobody reads.
func TestRunEndsTheGroup(t *testing.T) {
	needRoot(t)
	tests := map[string]struct {
		script  string
		atLeast time.Duration
		ended   string // what the script writes when it is told to end
	}{
		"listens": {`trap 'echo asked > "$1/ended"; exit 1' TERM; echo > "$1/ready"; while :; do sleep 0.02; done`, 0, "asked\n"},
		"is deaf, with a grandchild": {
			`trap '' TERM; sh -c 'echo $$ > "$1/pid"; while :; do sleep 0.02; done' sh "$1" >/dev/null 2>&1 & 
			while ! [ -s "$1/pid" ]; do sleep 0.02; done; echo > "$1/ready"; while :; do sleep 0.02; done`, 500 * time.Millisecond, ""},
		"leaves a grandchild": {
			`(trap '' TERM; sh -c 'echo $$ > "$1/pid"; while :; do sleep 0.02; done' sh "$1") & 
			while ! [ -s "$1/pid" ]; do sleep 0.02; done; echo > "$1/ready"; wait`, 500 * time.Millisecond, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := shell(tt.script, program{argv: []string{"$1"}, places: []string{".*"}})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for ctx.Err() == nil {
					if _, err := os.Stat(dir + "/ready"); err == nil {
						cancel()
					}
					time.Sleep(5 * time.Millisecond)
				}
			}()
			start := time.Now()
			_, err := w.Run(ctx, remedies.Command{Name: "sh", Args: []string{dir}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v; want context.Canceled", err)
			}
			if took := time.Since(start); took < tt.atLeast || took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if got, _ := os.ReadFile(dir + "/ended"); string(got) != tt.ended {
				t.Errorf("it said %q; want %q", got, tt.ended)
			}
			if data, err := os.ReadFile(dir + "/pid"); err == nil {
				var pid int
				_, _ = fmt.Sscan(string(data), &pid)
				waitGone(t, pid)
			}
		})
	}
}

// waitGone waits until a process is dead; as a zombie it is.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d lives on", pid)
}

func TestRunDeadlineOfItsOwn(t *testing.T) {
	needRoot(t)
	_, err := shell("sleep 30", program{timeout: 100 * time.Millisecond}).Run(t.Context(), remedies.Command{Name: "sh"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "run sh: ended after 100ms") {
		t.Errorf("Run = %v; want that it was ended after 100ms", err)
	}
}

func TestRunMask(t *testing.T) {
	needRoot(t)
	before := unix.Umask(0)
	defer unix.Umask(before)
	for private, want := range map[bool]fs.FileMode{false: 0o644, true: 0o600} {
		dir := t.TempDir()
		w := shell(`echo > "$1"`, program{argv: []string{"$1"}, places: []string{".*"}, private: private})
		if _, err := w.Run(t.Context(), remedies.Command{Name: "sh", Args: []string{dir + "/x"}}); err != nil {
			t.Fatal(err)
		}
		if got := node(t, dir+"/x"); got.Mode != want {
			t.Errorf("private %v: the file has mode %v; want %v", private, got.Mode, want)
		}
	}
	if now := unix.Umask(0); now != 0 {
		t.Errorf("this process's own mask has become %04o", now)
	}
}

func TestRunAsSomebody(t *testing.T) {
	needRoot(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no user nobody")
	}
	const who = `id -un; id -G; echo "$HOME"`
	out, err := shell(who, program{as: "nobody"}).Run(t.Context(), remedies.Command{Name: "sh"})
	if want := "nobody\n" + nobody.Gid + "\n" + nobody.HomeDir + "\n"; err != nil || string(out) != want {
		t.Errorf("Run = %q, %v; want %q", out, err, want)
	}
	_, err = shell(who, program{as: "no-such-user"}).Run(t.Context(), remedies.Command{Name: "sh"})
	if err == nil || !strings.Contains(err.Error(), `no user "no-such-user"`) {
		t.Errorf("Run = %v; want that there is no such user", err)
	}
}

func TestRunDoesNotTrustOthersPrograms(t *testing.T) {
	needRoot(t)
	dir, err := os.MkdirTemp("", "program") // t.TempDir's own parent is not for others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := dir + "/program"
	if err := os.WriteFile(name, []byte("#!/bin/sh\nid -un\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(as string) (string, error) {
		w := shell("", program{})
		w.programs = map[string]program{"p": {paths: []string{"/nowhere", name}, as: as, timeout: time.Second}}
		out, err := w.Run(t.Context(), remedies.Command{Name: "p"})
		return string(out), err
	}
	if out, err := run(""); err != nil || out != "root\n" {
		t.Errorf("root's own program = %q, %v", out, err)
	}
	if err := os.Chown(name, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if out, err := run(""); err == nil || !strings.Contains(err.Error(), "can be changed by others than root") {
		t.Errorf("another's program as root = %q, %v; want a refusal", out, err)
	}
	if out, err := run(owner); err != nil || out != "nobody\n" {
		t.Errorf("another's program as its owner = %q, %v", out, err)
	}
	if err := errors.Join(os.Chown(name, 0, 0), os.Chmod(name, 0o777)); err != nil {
		t.Fatal(err)
	}
	if out, err := run(""); err == nil {
		t.Errorf("a program that all may change = %q; want a refusal", out)
	}
}

func TestRunNotInstalled(t *testing.T) {
	w := New(hosttest.New(), Options{})
	w.programs = map[string]program{"p": {paths: []string{"/nowhere/{java}", "/nowhere/else"}}}
	_, err := w.Run(t.Context(), remedies.Command{Name: "p"})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/nowhere/else is not installed") {
		t.Errorf("Run = %v; want that it is not installed", err)
	}
}

func TestRunFreePort(t *testing.T) {
	needRoot(t)
	out, err := shell(`echo "$PORT"`, program{port: "PORT"}).Run(t.Context(), remedies.Command{Name: "sh"})
	var port int
	if _, serr := fmt.Sscan(string(out), &port); err != nil || serr != nil || port < 1024 {
		t.Errorf("Run = %q, %v; want a port", out, err)
	}
}

// TestTheLockIsHandedDown: what outlives a killed caller keeps the next one out.
func TestTheLockIsHandedDown(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	r := &process{name: "test", file: "/bin/sh", argv: []string{"-c", "sleep 60 >/dev/null 2>&1 & echo $!"}, umask: 0o022, lock: f}
	out, err := r.do(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	again, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := unix.Flock(int(again.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("locking beside the orphan: %v", err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(again.Fd()), unix.LOCK_EX); err != nil {
		t.Errorf("locking after its end: %v", err)
	}
}
