package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A Writer is the process that wrote a file, for those who find the file and
// want to know whether its writer is still at work on it. The zero value is
// nobody.
type Writer struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in ticks since the kernel's own
	Boot  string `json:"boot"`  // which the numbers are of
}

const bootID = "/proc/sys/kernel/random/boot_id"

// Me is this process.
func Me() (Writer, error) {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return Writer{}, fmt.Errorf("read the boot's number: %w", err)
	}
	start, ok := processStart(os.Getpid())
	if !ok {
		return Writer{}, errors.New("read when this process began: not told in " + statFile(os.Getpid()))
	}
	return Writer{PID: os.Getpid(), Start: start, Boot: string(bytes.TrimSpace(boot))}, nil
}

// Alive reports whether the process runs. One that has ended and is not buried
// yet does not.
func (w Writer) Alive(fsys FS) (bool, error) {
	if w == (Writer{}) {
		return false, nil
	}
	boot, err := fsys.ReadFile(bootID)
	if err != nil {
		return false, fmt.Errorf("read the boot's number: %w", err)
	}
	if string(bytes.TrimSpace(boot)) != w.Boot {
		return false, nil
	}
	data, err := fsys.ReadFile(statFile(w.PID))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for process %d: %w", w.PID, err)
	}
	state, start, ok := parseStat(data)
	return ok && start == w.Start && state != "Z" && state != "X", nil
}
