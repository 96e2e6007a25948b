package host

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHoldLock is not a test: it is the other process of the one below, because
// a process does not see its own locks.
func TestHoldLock(t *testing.T) {
	name := os.Getenv("HOLD_LOCK")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("held\n")
	os.Stdin.Read(make([]byte, 1))
}

func TestPackageManagerAtWork(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	packageLocks["test"] = []string{filepath.Join(t.TempDir(), "none"), name}
	defer delete(packageLocks, "test")
	if who := PackageManagerAtWork("test"); who != "" {
		t.Errorf("nobody holds it, and %s", who)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestHoldLock$")
	c.Env = append(os.Environ(), "HOLD_LOCK="+name)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "held") {
		t.Fatalf("%q %v", line, err)
	}
	if who := PackageManagerAtWork("test"); !strings.Contains(who, "process ") {
		t.Errorf("%q while another process holds it", who)
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if who := PackageManagerAtWork("test"); who != "" {
		t.Errorf("it was given back, and %s", who)
	}
}
