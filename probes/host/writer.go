package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Writer is the process that wrote a file, for those who find the file and
// want to know whether its writer is still at work on it. The zero value is
// nobody.
type Writer struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in ticks since the kernel's own
	// At is when it wrote. The kernel's number of the boot would say as well
	// whether that was in this one, but is another one in each mount namespace
	// of a container.
	At time.Time `json:"at"`
}

// Me is this process, writing now.
func Me() (Writer, error) {
	pid := os.Getpid()
	start, ok := processStart(pid)
	if !ok {
		return Writer{}, errors.New("read when this process began: not told in " + statFile(pid))
	}
	return Writer{PID: pid, Start: start, At: time.Now()}, nil
}

// bootSlack is by how much the time of the boot may be off.
const bootSlack = 2 * time.Second

// Alive reports whether the process runs. One that has ended and is not buried
// yet does not.
func (w Writer) Alive(fsys FS) (bool, error) {
	if w.PID == 0 || w.At.Add(bootSlack).Before(booted(fsys)) {
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
