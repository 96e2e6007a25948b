// Package need lets a test have the real program it is about: installed from
// the machine's own registry where it is missing, or the test fails. Only -short
// leaves such a test out, and says so.
package need

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"watchdog/packaging/lab/apt"
)

// installTime bounds one installation; another test's may have to end first.
const installTime = 10 * time.Minute

// Program wants a file that matches the pattern, which the Debian package has.
func Program(t testing.TB, pattern, pkg string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("left out by -short: what needs a real %s", pkg)
	}
	if there(pattern) {
		return
	}
	if os.Geteuid() != 0 {
		t.Fatalf("needs %s (package %s), and only root can install it; -short leaves this out", pattern, pkg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	for _, args := range [][]string{{"update"}, {"install", "--no-install-recommends", pkg}} {
		err := apt.Run(ctx, func(c *exec.Cmd) error {
			out, err := c.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			return err
		}, args...)
		if err != nil {
			t.Fatalf("install %s for this test: %v", pkg, err)
		}
	}
	if !there(pattern) {
		t.Fatalf("package %s is installed and has no %s", pkg, pattern)
	}
}

func there(pattern string) bool {
	found, err := filepath.Glob(pattern)
	return err == nil && len(found) > 0
}
