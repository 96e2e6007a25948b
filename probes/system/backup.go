package system

import (
	"context"
	"fmt"
	"path"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Backups].
const (
	BackupMissing probes.Code = "backup.missing"
	BackupStale   probes.Code = "backup.stale"
)

// Backups is the probe backup.age. It believes the manifest that was written
// when the dump had been proved; reading dumps through is not its business.
type Backups struct {
	Dir string
	// MaxAge is how old the newest proved backup may be.
	MaxAge time.Duration
}

// Spec implements [probes.Probe].
func (p Backups) Spec() probes.Spec {
	return probes.Spec{
		ID:      "backup.age",
		Summary: "the age of the newest verified backup",
		Codes:   []probes.Code{BackupMissing, BackupStale},
		Every:   time.Minute,
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
	for _, b := range all {
		if !b.Counts() {
			if bad == "" {
				bad = fmt.Sprintf("%s: %s", path.Base(b.Path), b.Fault)
			}
			continue
		}
		made := b.Manifest.Made
		age := h.Now().Sub(made)
		if age <= p.MaxAge {
			return nil, nil
		}
		// To the hour: the same fault reads the same at every look.
		return p.finding(BackupStale, fmt.Sprintf("the newest verified backup is older than %s", p.MaxAge),
			b.Path, fmt.Sprintf("made %s, %d hours ago", made.UTC().Format(time.RFC3339), int(age.Hours())), bad), nil
	}
	got := "none"
	if len(all) > 0 {
		got = fmt.Sprintf("%d backups, none of them verified", len(all))
	}
	return p.finding(BackupMissing, "there is no verified backup of Keycloak's database", p.Dir, got, bad), nil
}

func (p Backups) finding(code probes.Code, summary, source, got, bad string) []probes.Finding {
	want := fmt.Sprintf("a verified backup of the last %s", p.MaxAge)
	f := probes.Finding{Code: code, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "watchdog backup list"},
	}}
	if bad != "" {
		f.Evidence = append(f.Evidence, probes.Evidence{Source: p.Dir, Want: "the newest backup verified", Got: probes.Clip(bad), Command: "journalctl -u watchdog-backup.service -n 50"})
	}
	return []probes.Finding{f}
}
