package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Backups].
const (
	BackupMissing probes.Code = "backup.missing"
	BackupStale   probes.Code = "backup.stale"
)

// backupName is a backup's directory: the time it was made, in UTC.
var backupName = regexp.MustCompile(`^backup-[0-9]{8}T[0-9]{6}Z$`)

// Backups is the probe backup.age. It believes the manifest that was written
// when the dump had been proved; reading dumps through is not its business.
type Backups struct {
	Dir string
	// MaxAge is how old the newest proved backup may be.
	MaxAge time.Duration
}

// A manifest is what it reads of manifest.json.
type manifest struct {
	Made     time.Time                  `json:"made"`
	Verified bool                       `json:"verified"`
	Files    map[string]json.RawMessage `json:"files"`
}

// dump is the file that a backup is about.
const dump = "keycloak.dump"

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
	names, err := h.FS.ReadDir(p.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !backupName.MatchString(n) })
	slices.Sort(names)
	bad := ""
	for _, name := range slices.Backward(names) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, fault, err := p.read(h, name)
		if err != nil {
			return nil, err
		}
		if fault != "" {
			if bad == "" {
				bad = fmt.Sprintf("%s: %s", name, fault)
			}
			continue
		}
		age := h.Now().Sub(m.Made)
		if age <= p.MaxAge {
			return nil, nil
		}
		// To the hour: the same fault reads the same at every look.
		return p.finding(BackupStale, fmt.Sprintf("the newest verified backup is older than %s", p.MaxAge),
			p.Dir+"/"+name, fmt.Sprintf("made %s, %d hours ago", m.Made.UTC().Format(time.RFC3339), int(age.Hours())), bad), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got := "none"
	if len(names) > 0 {
		got = fmt.Sprintf("%d backups, none of them verified", len(names))
	}
	return p.finding(BackupMissing, "there is no verified backup of Keycloak's database", p.Dir, got, bad), nil
}

// read returns a backup's manifest, or why it does not count.
func (p Backups) read(h *host.Host, name string) (m manifest, fault string, err error) {
	dir := p.Dir + "/" + name
	data, err := h.FS.ReadFile(dir + "/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return m, "no manifest", nil
	}
	if err != nil {
		return m, "", fmt.Errorf("read the manifest of backup %s: %w", name, err)
	}
	if json.Unmarshal(data, &m) != nil {
		return m, "its manifest can't be read", nil
	}
	files, err := h.FS.ReadDir(dir)
	if err != nil {
		return m, "", fmt.Errorf("list backup %s: %w", name, err)
	}
	switch {
	case !m.Verified:
		return m, "not verified", nil
	case m.Files[dump] == nil || !slices.Contains(files, dump):
		return m, dump + " is not in it", nil
	}
	return m, "", nil
}

func (p Backups) finding(code probes.Code, summary, source, got, bad string) []probes.Finding {
	want := fmt.Sprintf("a verified backup of the last %s", p.MaxAge)
	f := probes.Finding{Code: code, Summary: summary, Evidence: []probes.Evidence{
		{Source: source, Want: want, Got: got, Command: "watchdog backup list"},
	}}
	if bad != "" {
		f.Evidence = append(f.Evidence, probes.Evidence{Source: p.Dir, Want: "the newest backup verified", Got: clip(bad), Command: "journalctl -u watchdog-backup.service -n 50"})
	}
	return []probes.Finding{f}
}
