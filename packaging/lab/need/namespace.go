package need

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Namespace runs the test that calls it once more, in a process with users and
// mounts of its own, and reports whether this is that process: there the test is
// root, may mount, and sets limits that hold for itself only.
func Namespace(t *testing.T) bool {
	t.Helper()
	const inside = "WATCHDOG_TEST_INSIDE"
	if os.Getenv(inside) != "" {
		return true
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), inside+"=1")
	users := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	groups := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: users, GidMappings: groups}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("in a namespace of its own: %v\n%s", err, out)
	}
	return false
}
