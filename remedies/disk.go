package remedies

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"watchdog/probes/host"
)

// Disk makes room on a full file system by deleting what is the program's own
// and past its time: backups. Whatever else fills it is not its to delete.
type Disk struct {
	Backups string        // their directory
	Keep    time.Duration // those made longer ago may go
}

// Spec implements [Remedy]. What is deleted would have been at the next backup.
func (r Disk) Spec() Spec {
	return Spec{ID: "disk", Summary: "delete backups past their time from a full disk", Risk: Harmless, Timeout: 10 * time.Minute}
}

// Plan implements [Remedy]. With room left, backups wait for the next one.
func (r Disk) Plan(_ context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	u, err := h.FS.Usage(r.Backups)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return Plan{}, err
	}
	if bytes, inodes := u.Full(); !bytes && !inodes {
		return p, nil
	}
	spent, err := h.SpentBackups(r.Backups, r.Keep)
	if err != nil {
		return Plan{}, err
	}
	for _, path := range spent {
		p.Steps = append(p.Steps, dropBackup{path})
	}
	return p, nil
}

// dropBackup is the step that deletes one backup.
type dropBackup struct{ path string }

func (s dropBackup) String() string { return "delete " + s.path + ", which is past its time" }

// Done implements [Step].
func (s dropBackup) Done(_ context.Context, h *host.Host) (bool, error) {
	n, err := h.FS.Node(s.path)
	return n == nil && err == nil, err
}

// Do implements [Step].
func (s dropBackup) Do(ctx context.Context, w Hands, _ *host.Host) error {
	return removeBackup(ctx, w, s.path)
}
