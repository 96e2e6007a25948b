package system

import (
	"context"
	"fmt"
	"path"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Backups] and [BackupRead].
const (
	BackupMissing probes.Code = "backup.missing"
	BackupStale   probes.Code = "backup.stale"
	BackupCorrupt probes.Code = "backup.corrupt"
)

// Backups is the probe backup.age. It believes the manifest that was written
// when the dump had been proved, as long as the files have the sizes of then;
// reading them through is [BackupRead]'s.
type Backups struct {
	Dir string
	// MaxAge is how old the newest proved backup may be.
	MaxAge time.Duration
}

// Spec implements [probes.Probe].
func (p Backups) Spec() probes.Spec {
	return probes.Spec{
		ID:      "backup.age",
		Summary: "the age of the newest verified backup, and whether it is all there",
		Codes:   []probes.Code{BackupMissing, BackupStale, BackupCorrupt},
		Every:   30 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "watchdog-backup"}},
	}
}

// Observe implements [probes.Probe].
func (p Backups) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := h.Backups(p.Dir)
	if err != nil {
		return nil, err
	}
	bad := "" // the newest that does not count
	var found []probes.Finding
	for _, b := range all {
		if b.Corrupt && len(found) == 0 {
			found = append(found, corrupt(b))
		}
		if !b.Counts() {
			if bad == "" {
				bad = fmt.Sprintf("%s: %s", path.Base(b.Path), b.Fault)
			}
			continue
		}
		made := b.Manifest.Made
		age := h.Now().Sub(made)
		if age <= p.MaxAge {
			return found, nil
		}
		// To the hour: the same fault reads the same at every look.
		return p.finding(found, BackupStale, fmt.Sprintf("the newest verified backup is older than %s", p.MaxAge),
			b.Path, fmt.Sprintf("made %s, %d hours ago", made.UTC().Format(time.RFC3339), int(age.Hours())), bad), nil
	}
	got := "none"
	if len(all) > 0 {
		got = fmt.Sprintf("%d backups, none of them verified", len(all))
	}
	return p.finding(found, BackupMissing, "there is no verified backup of Keycloak's database", p.Dir, got, bad), nil
}

func (p Backups) finding(found []probes.Finding, code probes.Code, summary, source, got, bad string) []probes.Finding {
	want := fmt.Sprintf("a verified backup of the last %s", p.MaxAge)
	f := probes.Finding{Code: code, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "watchdog backup list"},
	}}
	if bad != "" {
		f.Evidence = append(f.Evidence, probes.Evidence{Source: p.Dir, Want: "the newest backup verified", Got: probes.Clip(bad), Command: "journalctl -u watchdog-backup.service -n 50"})
	}
	return append(found, f)
}

// corrupt tells of a backup that is no longer what was proved.
func corrupt(b host.Backup) probes.Finding {
	return probes.Finding{
		Code: BackupCorrupt, Subject: path.Base(b.Path), Summary: "the newest backup is not what was verified when it was made",
		Evidence: []probes.Evidence{{
			Source: b.Path, Want: "the files of its manifest.json", Got: probes.Clip(b.Fault),
			// pg_restore tells little: it may list a dump whose end is missing,
			// and it reads through one in which a statement was changed.
			Command: "cd " + b.Path + " && cat manifest.json && ls -l && sha256sum " + host.BackupDump,
		}},
	}
}

// BackupRead is the probe backup.read: it reads the newest backup that counts
// through, and compares it with what was proved. What goes bad on a disk keeps its
// size.
type BackupRead struct{ Dir string }

// Spec implements [probes.Probe].
func (p BackupRead) Spec() probes.Spec {
	return probes.Spec{
		ID:      "backup.read",
		Summary: "whether the newest backup still reads as it was made",
		Codes:   []probes.Code{BackupCorrupt},
		Every:   time.Hour,
		Timeout: 10 * time.Second, // several gigabytes
	}
}

// Observe implements [probes.Probe].
func (p BackupRead) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := h.Backups(p.Dir)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if !b.Counts() {
			continue
		}
		b, err := h.ReadBackup(ctx, b)
		if err != nil || b.Counts() {
			return nil, err
		}
		return []probes.Finding{corrupt(b)}, nil
	}
	return nil, nil
}
