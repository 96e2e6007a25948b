package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Exec runs a program in a host, or a program of this machine in the client's
// namespace, and gives its exit code; 127 is for a program that is not there. An
// error means that it did not run to its end; when ctx ends first, the program and
// its children are ended with it.
func (l *Lab) Exec(ctx context.Context, host string, argv []string, stdin io.Reader, stdout, stderr io.Writer) (exitCode int, err error) {
	n, err := findNode(host)
	if err != nil {
		return 0, err
	}
	if len(argv) == 0 {
		return 0, &Refusal{"name a command to run: watchdog lab exec " + host + " -- COMMAND"}
	}
	path, env := os.Getenv("PATH"), l.environ()
	enter := func() error { return l.enterClient(host) }
	if n.boots {
		pid, err := l.hostPID(host)
		if err != nil {
			return 0, err
		}
		path = hostPath
		env = []string{"PATH=" + hostPath, "HOME=/root", "LANG=C.UTF-8", "TERM=" + terminal(stdin)}
		enter = func() error { return enterHost(pid) }
	}
	err = onLostThread(func() error {
		if err := errors.Join(enter(), withhold()); err != nil {
			return err
		}
		full, err := lookPath(argv[0], path)
		if err != nil {
			if stderr != nil {
				fmt.Fprintf(stderr, "%s: %v\n", host, err) // as a shell would
			}
			return err
		}
		c := exec.CommandContext(ctx, full, argv[1:]...)
		c.Args[0] = argv[0]
		c.Stdin, c.Stdout, c.Stderr, c.Env = stdin, stdout, stderr, env
		obey(c, IsTerminal(stdin))
		return c.Run()
	})
	return outcome(ctx, host, argv, err)
}

// obey lets a time-out reach the program's children too, in a group of their own.
// A shell at a terminal needs the terminal's group, and gets Ctrl-C itself.
func obey(c *exec.Cmd, terminal bool) {
	c.WaitDelay = 3 * time.Second
	// No Pdeathsig: a child in a process namespace of its own cannot see its parent,
	// takes it for dead, and kills itself.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: !terminal}
	c.Cancel = func() error {
		target := -c.Process.Pid
		if terminal {
			target = c.Process.Pid
		}
		time.AfterFunc(2*time.Second, func() { _ = syscall.Kill(target, syscall.SIGKILL) })
		return syscall.Kill(target, syscall.SIGTERM)
	}
}

func outcome(ctx context.Context, host string, argv []string, err error) (int, error) {
	var exit *exec.ExitError
	var refusal *Refusal
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // the latter: it ended, a child of it holds its output
		return 0, nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("run %s in %s: %w", argv[0], host, context.Cause(ctx))
	case errors.As(err, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return 128 + int(s.Signal()), nil
		}
		return exit.ExitCode(), nil
	case errors.As(err, &refusal):
		return 0, err
	case errors.Is(err, exec.ErrNotFound):
		return 127, nil
	}
	return 0, fmt.Errorf("run %s in %s: %w", argv[0], host, err)
}

// IsTerminal reports whether somebody types what r reads.
func IsTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func terminal(r io.Reader) string {
	if t := os.Getenv("TERM"); t != "" && IsTerminal(r) {
		return t
	}
	return "dumb"
}

// hostPID is the machine's number for a host's PID 1: another one after each
// reboot inside, so it is asked of systemd-nspawn's children each time.
func (l *Lab) hostPID(host string) (int, error) {
	data, err := os.ReadFile(l.host(host, "nspawn.pid"))
	if errors.Is(err, os.ErrNotExist) {
		if !l.alive() {
			return 0, l.notUp()
		}
		return 0, &Refusal{fmt.Sprintf("boot %s first, it is off: %s", host, l.typed("lab up"))}
	}
	if err != nil {
		return 0, fmt.Errorf("find %s: %w", host, err)
	}
	nspawn := strings.TrimSpace(string(data))
	lists, err := filepath.Glob(filepath.Join("/proc", nspawn, "task", "*", "children"))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(children)) {
			// The helper that nspawn starts first still has the machine's root.
			status, _ := os.ReadFile(filepath.Join("/proc", child, "status"))
			if isInit(string(status)) {
				return strconv.Atoi(child)
			}
		}
	}
	return 0, fmt.Errorf("find %s: systemd-nspawn (process %s) has not started it yet", host, nspawn)
}

// isInit tells from /proc/PID/status whether a process is PID 1 of a namespace
// below ours.
func isInit(status string) bool {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			ids := strings.Fields(rest)
			return len(ids) > 1 && ids[len(ids)-1] == "1"
		}
	}
	return false
}
