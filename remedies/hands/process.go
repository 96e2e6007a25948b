package hands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/probes/host"
)

// A process is one run of a program, all said.
type process struct {
	name    string // of the command, for errors
	file    string
	argv    []string
	env     []string
	home    string
	stdin   []byte
	umask   int
	as      *syscall.Credential // nil: as this program runs itself
	secrets []host.Secret       // kept out of errors
	lock    *os.File            // handed down, may be nil
}

// What a process may say, in bytes.
const (
	maxStdout = 4 << 20
	maxTail   = 4 << 10
)

// grace is how long a process has to end when it is told to: an interrupted
// package manager leaves less to mend than a killed one.
const grace = 5 * time.Second

// binPath is where programs look for others.
const binPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// be sets whom the process runs as. What runs as root must be root's own: a
// program that somebody else may change would be root for him.
func (r *process) be(name string, file fs.FileInfo) error {
	stat, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its file has no owner here")
	}
	id := name
	switch name {
	case "":
		id = "0"
	case owner:
		id = strconv.FormatUint(uint64(stat.Uid), 10)
	}
	u, err := user.LookupId(id)
	if err != nil {
		u, err = user.Lookup(id)
	}
	if err != nil {
		return fmt.Errorf("there is no user %q to run it as", id)
	}
	if u.Uid == "0" && (stat.Uid != 0 || file.Mode().Perm()&0o022 != 0) {
		return fmt.Errorf("%s can be changed by others than root, and is not run as root", r.file)
	}
	r.home = u.HomeDir
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return nil
	}
	r.as, err = credential(u)
	return err
}

func credential(u *user.User) (*syscall.Credential, error) {
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("read the groups of %s: %w", u.Username, err)
	}
	var ids []uint32
	for _, s := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the groups of %s: %w", u.Username, err)
		}
		ids = append(ids, uint32(id))
	}
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}, nil
}

// do runs the process to its end. When ctx ends it is told to, and with it all
// that it started; what doesn't is killed.
func (r *process) do(ctx context.Context, grace time.Duration) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.file, r.argv...)
	cmd.Env = append([]string{"PATH=" + binPath, "LANG=C.UTF-8", "HOME=" + r.home}, r.env...)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(r.stdin)
	var out head
	var complaints tail
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: r.as}
	cmd.WaitDelay = grace
	if r.lock != nil {
		cmd.ExtraFiles = []*os.File{r.lock}
	}
	group := func(s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }
	cmd.Cancel = func() error { return group(unix.SIGTERM) }
	err := start(cmd, r.umask)
	if err == nil {
		err = cmd.Wait()
		if ctx.Err() != nil {
			// Whoever of the group did not listen, or outlived its leader.
			_ = group(unix.SIGKILL)
		}
	}
	if errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		err = nil // it left something running that holds its output open
	}
	if err == nil {
		return out.kept, nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), ctx.Err())
	}
	status := -1
	if cmd.ProcessState != nil {
		status = cmd.ProcessState.ExitCode()
	}
	// Some complain on standard output only.
	said := string(complaints)
	if said == "" {
		said = string(out.kept[max(0, len(out.kept)-2*maxTail):])
	}
	return out.kept, &host.CommandError{Command: r.name, Status: status, Stderr: r.redact(said), Err: err}
}

// redact takes the secrets out of text and returns its end. Text is longer than
// what is returned, so that a secret cut in two at its beginning isn't.
func (r *process) redact(text string) string {
	for _, s := range r.secrets {
		if !s.Missing() {
			text = strings.ReplaceAll(text, s.Reveal(), s.String())
		}
	}
	text = text[max(0, len(text)-maxTail):]
	return strings.TrimSpace(strings.ToValidUTF8(text, ""))
}

// start starts cmd with a file mode mask of its own. Masks belong to processes
// unless a thread has taken its share out; this one does, and ends here.
func start(cmd *exec.Cmd, umask int) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			started <- fmt.Errorf("set the file mode mask: %w", err)
			return
		}
		unix.Umask(umask)
		started <- cmd.Start()
	}()
	return <-started
}

// freePort finds a port of ::1 that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// head keeps the beginning of what is written to it and takes the rest.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxStdout-len(h.kept))]...)
	return len(p), nil
}

// tail keeps the end, and as much again for [process.redact].
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if over := len(*t) - 2*maxTail; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}
