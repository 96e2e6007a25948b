package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// progress writes lines for people, each with the seconds since the command began.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

func newProgress(w io.Writer) *progress { return &progress{w: w, start: time.Now()} }

func (p *progress) line(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "[%6.1f s] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, a...))
}

// command is a program of the machine that carries the lab's marker and is ended,
// with its children, when ctx is.
func (l *Lab) command(ctx context.Context, name string, arg ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, arg...)
	c.Env = l.environ()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	return c
}

func (l *Lab) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, marker+"=") || strings.HasPrefix(v, "LC_") || strings.HasPrefix(v, "LANG")
	})
	return append(env, marker+"="+l.name, "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
}

// run runs a command that may take long: its last line is shown every ten
// seconds, and its last lines are part of the error.
func (l *Lab) run(what string, c *exec.Cmd) error {
	out := &tail{}
	c.Stdout, c.Stderr = out, out
	began := time.Now()
	stop := l.heartbeat(what, out.last)
	err := c.Run()
	stop()
	if err != nil {
		// %v: the exit code is the program's, not one for us to end with.
		return fmt.Errorf("%s: run %s: %v%s", what, strings.Join(c.Args, " "), err, out.quote())
	}
	if took := time.Since(began); took > time.Second {
		l.say.line("%s: done in %.1f s", what, took.Seconds())
	}
	return nil
}

func (l *Lab) heartbeat(what string, last func() string) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				l.say.line("%s: %s", what, last())
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - tailSize; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.FieldsFunc(string(bytes.TrimSpace(t.buf)), func(r rune) bool { return r == '\n' || r == '\r' })
}

func (t *tail) last() string {
	lines := t.lines()
	if len(lines) == 0 {
		return "still at it"
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// quote is the last few lines, ready to follow an error text.
func (t *tail) quote() string {
	lines := t.lines()
	if len(lines) == 0 {
		return ""
	}
	return "\n    " + strings.Join(lines[max(0, len(lines)-8):], "\n    ")
}

// pause waits a moment unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// until asks again and again until f answers true, ctx ends, or f gives an error.
func until(ctx context.Context, every time.Duration, f func() (bool, error)) error {
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if err := pause(ctx, every); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return errors.New("no answer in time")
			}
			return err
		}
	}
}
