package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
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
	// Corrupt says that it was proved once, and is no longer what was proved.
	Corrupt bool `json:"corrupt,omitempty"`
}

// Counts reports whether the backup was proved and is still whole, as far as the
// sizes of its files tell.
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
// had been proved. What was cut short since shows in the size of a file; what was
// changed otherwise only [Host.ReadBackup] finds.
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
		// It was whole when the backup got its name.
		b.Fault, b.Corrupt = "its manifest can't be read", true
		return b, nil
	}
	b.Manifest = m
	if !m.Verified {
		b.Fault = "not verified"
		return b, nil
	}
	if _, listed := m.Files[BackupDump]; !listed {
		b.Fault = BackupDump + " is not in it"
		return b, nil
	}
	b.Fault, err = m.misfit(func(name string, want BackupFile) (string, error) {
		switch size, err := h.FS.Size(path + "/" + name); {
		case errors.Is(err, fs.ErrNotExist):
			return name + " is not in it", nil
		case err != nil || size == want.Size:
			return "", err
		default:
			return fmt.Sprintf("%s has %d bytes, and had %d", name, size, want.Size), nil
		}
	})
	b.Corrupt = b.Fault != ""
	return b, err
}

// readAgain is how long it counts that a backup was read and found whole: every
// look for drift asks.
const readAgain = 10 * time.Minute

// ReadBackup reads a backup that counts to its end, and returns it with the fault
// that it finds, if any. One that was read a few minutes ago is believed.
func (h *Host) ReadBackup(ctx context.Context, b Backup) (Backup, error) {
	h.reading.Lock()
	defer h.reading.Unlock()
	if age := h.Now().Sub(h.whole[b.Path]); age >= 0 && age < readAgain {
		return b, nil
	}
	fault, err := b.Manifest.misfit(func(name string, want BackupFile) (string, error) {
		got, err := h.FS.SHA256(ctx, b.Path+"/"+name)
		if err != nil || want.SHA256 == "" || got == want.SHA256 {
			return "", err
		}
		return name + " is not what was proved: its hash is another", nil
	})
	switch {
	case err != nil:
		return b, fmt.Errorf("read backup %s: %w", b.Path, err)
	case fault != "":
		b.Fault, b.Corrupt = fault, true
	default:
		h.whole = map[string]time.Time{b.Path: h.Now()}
	}
	return b, nil
}

// misfit asks check for each file of a manifest, in the order of their names, and
// returns the first fault. Names that lead out of the backup are passed over.
func (m BackupManifest) misfit(check func(name string, want BackupFile) (string, error)) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if !filepath.IsLocal(name) {
			continue
		}
		if fault, err := check(name, m.Files[name]); fault != "" || err != nil {
			return fault, err
		}
	}
	return "", nil
}
