package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// onLostThread runs f on a thread that is never used for anything else and ends
// with f, so f may change what of it cannot be changed back. The main thread
// cannot end, so it is held while another is taken.
func onLostThread(f func() error) error {
	done := make(chan error, 1)
	var take func()
	take = func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			done <- f()
			return // still locked: the thread ends here
		}
		other := make(chan struct{})
		go func() { defer close(other); take() }()
		<-other
		runtime.UnlockOSThread()
	}
	go take()
	return <-done
}

// hostNamespaces are entered in this order; the mounts last, because the files
// that stand for the others are found in the machine's.
var hostNamespaces = []string{"cgroup", "ipc", "uts", "net", "pid", "mnt"}

// enterHost moves the calling thread into a host: all its namespaces and its root.
// Processes started from it then are the host's. This is nsenter without its
// second process, which stops itself when a host powers off and so holds it up.
func enterHost(pid int) error {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	root, err := unix.Open(filepath.Join(proc, "root"), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open root of process %d: %w", pid, err)
	}
	defer unix.Close(root)
	var fds []int
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for _, kind := range hostNamespaces {
		fd, err := unix.Open(filepath.Join(proc, "ns", kind), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s namespace of process %d: %w", kind, pid, err)
		}
		fds = append(fds, fd)
	}
	// Root and working directory belong to all threads until this one has its own.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("separate this thread's root: %w", err)
	}
	for i, fd := range fds {
		if err := unix.Setns(fd, 0); err != nil {
			return fmt.Errorf("enter %s namespace of process %d: %w", hostNamespaces[i], pid, err)
		}
	}
	if err := errors.Join(unix.Fchdir(root), unix.Chroot("."), unix.Chdir("/")); err != nil {
		return fmt.Errorf("enter root of process %d: %w", pid, err)
	}
	return nil
}

// enterClient moves the calling thread into the client's network, with the
// machine's files but for the name server.
func (l *Lab) enterClient(name string) error {
	ns := l.namespace(name)
	fd, err := unix.Open(filepath.Join(netnsDir, ns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return l.notUp()
	}
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", ns, err)
	}
	defer unix.Close(fd)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("separate mounts: %w", err)
	}
	if err := unix.Mount(filepath.Join("/etc/netns", ns, "resolv.conf"), "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the client's resolv.conf: %w", err)
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", ns, err)
	}
	return nil
}

// withheld are capabilities that a program in the lab must not have: it shares
// this machine's kernel, and `date -s` inside would set the machine's own clock.
var withheld = []uintptr{
	unix.CAP_SYS_TIME, unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYSLOG, unix.CAP_WAKE_ALARM,
	unix.CAP_BLOCK_SUSPEND, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE, unix.CAP_SYS_PACCT, unix.CAP_BPF, unix.CAP_PERFMON,
}

// withhold takes the capabilities from what the calling thread starts. A kernel
// that does not know one has none of it to give.
func withhold() error {
	for _, c := range withheld {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}

// lookPath finds a program as seen by the calling thread.
func lookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if st, err := os.Stat(full); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", fmt.Errorf("find %s: not in %s: %w", name, path, exec.ErrNotFound)
}
