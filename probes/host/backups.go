package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A BackupManifest is what manifest.json says of a backup.
type BackupManifest struct {
	Made     time.Time             `json:"made"`
	Verified bool                  `json:"verified"` // the dump was read whole
	Files    map[string]BackupFile `json:"files"`    // by path in the backup
}

// A BackupFile is one file of a backup.
type BackupFile struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// BackupDump is the file that a backup is about.
const BackupDump = "keycloak.dump"

// A Backup is one backup as it is found.
type Backup struct {
	Path     string         `json:"path"`
	Manifest BackupManifest `json:"manifest"` // zero but for Made when it has none that can be read
	// Fault says why it does not count as a backup; empty when it does.
	Fault string `json:"fault,omitempty"`
}

// Counts reports whether the backup was proved and is still whole.
func (b Backup) Counts() bool { return b.Fault == "" }

// BackupTime is the layout of the time in a backup's name, in UTC.
const BackupTime = "20060102T150405Z"

var backupName = regexp.MustCompile(`^backup-(\d{8}T\d{6}Z)$`)

// IsBackupName reports whether a directory of that name is a backup, and when
// that was made.
func IsBackupName(name string) (made time.Time, ok bool) {
	m := backupName.FindStringSubmatch(name)
	if m == nil {
		return time.Time{}, false
	}
	made, err := time.Parse(BackupTime, m[1])
	return made, err == nil
}

// Backups returns the backups in dir, newest first. A directory that does not
// exist has none. Their manifests are believed: they were written when the dumps
// had been proved.
func (h *Host) Backups(dir string) ([]Backup, error) {
	names, err := h.FS.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var out []Backup
	for _, name := range names {
		made, ok := IsBackupName(name)
		if !ok {
			continue
		}
		b, err := h.backup(dir+"/"+name, made)
		if err != nil {
			return nil, fmt.Errorf("list backups: %w", err)
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Backup) int { return strings.Compare(b.Path, a.Path) })
	return out, nil
}

// SpentBackups lists what may go of the backups in dir, the oldest last: those made
// more than keep ago, but never the newest that counts however old it is, and
// what is left of those never finished.
func (h *Host) SpentBackups(dir string, keep time.Duration) ([]string, error) {
	all, err := h.Backups(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	proved := false
	for _, b := range all {
		newest := !proved && b.Counts()
		proved = proved || newest
		if !newest && h.Now().Sub(b.Manifest.Made) > keep {
			out = append(out, b.Path)
		}
	}
	names, err := h.FS.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	for _, name := range names {
		whole, unfinished := strings.CutSuffix(name, ".part")
		if _, ok := IsBackupName(whole); ok && unfinished {
			out = append(out, dir+"/"+name)
		}
	}
	return out, nil
}

func (h *Host) backup(path string, made time.Time) (Backup, error) {
	b := Backup{Path: path, Manifest: BackupManifest{Made: made}}
	data, err := h.FS.ReadFile(path + "/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		b.Fault = "no manifest"
		return b, nil
	}
	if err != nil {
		return Backup{}, err
	}
	var m BackupManifest
	if json.Unmarshal(data, &m) != nil {
		b.Fault = "its manifest can't be read"
		return b, nil
	}
	b.Manifest = m
	files, err := h.FS.ReadDir(path)
	if err != nil {
		return Backup{}, err
	}
	_, listed := m.Files[BackupDump]
	switch {
	case !m.Verified:
		b.Fault = "not verified"
	case !listed || !slices.Contains(files, BackupDump):
		b.Fault = BackupDump + " is not in it"
	}
	return b, nil
}
