package hands

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// aptLock is what apt and dpkg say when somebody else has one of their locks;
// newer versions name the process.
var (
	aptLock = regexp.MustCompile(`(?m)^(?:E: (?:Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock directory)` +
		`|dpkg: error: dpkg [a-z]+ lock (?:was|is) locked by another process)`)
	aptHolder  = regexp.MustCompile(`held by process ([0-9]+) \(([^)]+)\)`)
	dpkgHolder = regexp.MustCompile(`locked by another process with pid ([0-9]+)`)
)

// aptBusy tells a package manager that is busy from one that went wrong.
func aptBusy(e *host.CommandError) error {
	if !aptLock.MatchString(e.Stderr) {
		return nil
	}
	if m := aptHolder.FindStringSubmatch(e.Stderr); m != nil {
		return fmt.Errorf("%w: %s (process %s) holds it", remedies.ErrBusy, m[2], m[1])
	}
	if m := dpkgHolder.FindStringSubmatch(e.Stderr); m != nil {
		name, err := os.ReadFile("/proc/" + m[1] + "/comm")
		if err != nil { // it has ended since
			return fmt.Errorf("%w: process %s held it", remedies.ErrBusy, m[1])
		}
		return fmt.Errorf("%w: %s (process %s) holds it", remedies.ErrBusy, strings.TrimSpace(string(name)), m[1])
	}
	return remedies.ErrBusy
}
