package host

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// packageLocks are the files that package managers lock while they change the
// machine, by the manager.
var packageLocks = map[PackageManager][]string{
	APT: {"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"},
}

// PackageManagerAtWork names the process that holds the package manager's lock,
// or nothing. It only asks: no lock is taken. Without root nothing is seen.
func PackageManagerAtWork(m PackageManager) string {
	for _, name := range packageLocks[m] {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		l := unix.Flock_t{Type: unix.F_WRLCK}
		err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &l)
		f.Close()
		if err == nil && l.Type != unix.F_UNLCK {
			return fmt.Sprintf("a package manager is at work (process %d)", l.Pid)
		}
	}
	return ""
}
