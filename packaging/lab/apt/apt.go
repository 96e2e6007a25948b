// Package apt runs apt-get on this machine, one at a time: apt waits for its own
// lock on packages, but not for the one on package lists.
package apt

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/gofrs/flock"
)

// lockFile is shared by all that run apt-get here for the lab or its tests.
const lockFile = "/run/lock/watchdog-apt"

// Run runs apt-get with args by the given maker of commands, when it is its
// turn.
func Run(ctx context.Context, run func(*exec.Cmd) error, args ...string) error {
	l := flock.New(lockFile)
	if _, err := l.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another apt-get: %w", err)
	}
	defer l.Close()
	c := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-y", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	c.Env = append(c.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return run(c)
}
