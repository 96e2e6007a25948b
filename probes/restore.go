package probes

import (
	"path"
	"time"

	"watchdog/probes/host"
)

// Restore is the evidence that goes with a lost database: the newest verified
// backup in dir, and the command that brings it back. Which one is taken is a
// person's decision, for what came after it is lost.
func Restore(h *host.Host, dir string) Evidence {
	e := Evidence{Source: dir, Want: "a verified backup to restore", Got: "none", Command: "watchdog backup list"}
	all, err := h.Backups(dir)
	if err != nil {
		e.Got = Clip(err.Error())
		return e
	}
	for _, b := range all {
		if b.Counts() {
			e.Got = b.Path + ", made " + b.Manifest.Made.UTC().Format(time.RFC3339)
			e.Command = "runuser -u postgres -- pg_restore --clean --if-exists --create -d postgres < " + path.Join(b.Path, host.BackupDump)
			break
		}
	}
	return e
}
