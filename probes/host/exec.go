package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Bounds of a command: what it may say in bytes, what is kept of its
// complaints, and how long its death may take.
const (
	maxOutput = 4 << 20
	maxStderr = 4 << 10
	waitDelay = 500 * time.Millisecond
)

// commandPath is where programs are looked for: not in /usr/local, which on
// some distributions others than root may write.
var commandPath = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// A CommandError tells how a command that only looks went wrong.
type CommandError struct {
	Command string // as typed: "nginx -T"
	Status  int    // exit status; -1 when it was not started, or killed
	Stderr  string // the end of it, at most 4 KiB
	Err     error
}

func (e *CommandError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("run %s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("run %s: %v: %s", e.Command, e.Err, e.Stderr)
}

// Unwrap returns the cause: [context.DeadlineExceeded] when it was killed for
// its time, [fs.ErrNotExist] when the program is not installed.
func (e *CommandError) Unwrap() error { return e.Err }

// commands is the machine's own [Exec].
type commands struct{}

// Run implements [Exec] for the list of [CheckCommand]. The command has a fixed
// environment, no input and no terminal. When ctx ends it is killed, and with
// it all it has started. Its output comes also with an error; any error but a
// refusal is a [*CommandError].
func (commands) Run(ctx context.Context, argv ...string) ([]byte, error) {
	if err := CheckCommand(argv...); err != nil {
		return nil, err
	}
	return run(ctx, argv)
}

func run(ctx context.Context, argv []string) ([]byte, error) {
	line := strings.Join(argv, " ")
	program, err := lookPath(argv[0])
	if err != nil {
		return nil, &CommandError{line, -1, "", err}
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Env = []string{"PATH=" + strings.Join(commandPath, ":"), "LANG=C.UTF-8"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	var out bounded
	var complaints tail
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if out.over {
		err = fmt.Errorf("more than %d MiB of output", maxOutput>>20)
	}
	if err == nil {
		return out.kept, nil
	}
	status := -1
	if cmd.ProcessState != nil {
		status = cmd.ProcessState.ExitCode()
	}
	return out.kept, &CommandError{line, status, strings.TrimSpace(string(complaints)), err}
}

// lookPath finds a program in [commandPath].
func lookPath(name string) (string, error) {
	for _, dir := range commandPath {
		path := dir + "/" + name
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
			continue
		}
		return path, err
	}
	return "", fmt.Errorf("%s is not installed: %w", name, fs.ErrNotExist)
}

// bounded keeps output up to its limit; beyond it a write is an error, which
// ends the pipe and so the command.
type bounded struct {
	kept []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > maxOutput {
		b.over = true
		return 0, errors.New("too much output")
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if over := len(*t) - maxStderr; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}
