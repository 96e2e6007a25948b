package remedies

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"watchdog/packaging/systemd"
	"watchdog/probes/host"
)

// Backup keeps a proved backup of the database and the realm that is no older
// than MaxAge, and the timer that makes one each night.
//
// A backup is a directory of root's, backup-20261123T031700Z, with the dump
// (keycloak.dump, pg_dump's custom format), the realm as Keycloak exports it
// (realm/), and manifest.json. It has another name (.part) until it is whole
// and proved.
type Backup struct {
	Database string
	Realm    string
	Server   KeycloakServer
	Dir      string        // "/var/backups/watchdog"
	Keep     time.Duration // older ones are deleted, but never the newest proved one
	MaxAge   time.Duration
	At       string // when, each day: "03:17", or a systemd calendar time
}

// A BackupInfo is one backup as it is found.
type BackupInfo = host.Backup

// ListBackups returns the backups in dir, newest first.
func ListBackups(h *host.Host, dir string) ([]BackupInfo, error) { return h.Backups(dir) }

// Spec implements [Remedy].
func (r Backup) Spec() Spec {
	return Spec{ID: "backup", Summary: "make a backup and prove it", Timeout: time.Hour}
}

// Plan implements [Remedy].
func (r Backup) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	var p Plan
	step := makeBackup{r}
	done, err := step.Done(ctx, h)
	if err != nil {
		return Plan{}, err
	}
	if !done {
		p.Steps = append(p.Steps, step)
	}
	if n, err := h.FS.Node(r.Dir); err != nil {
		return Plan{}, err
	} else if n != nil {
		if p.Edits, err = Converge(h, r.Dir, Directory("root", "root", 0o700)); err != nil {
			return Plan{}, err
		}
	}
	if h.Facts.Init != host.Systemd {
		return p, nil
	}
	for name, text := range map[string]string{
		systemd.BackupService: systemd.Unit(systemd.BackupService),
		systemd.BackupTimer:   r.timer(),
	} {
		edits, err := unitEdits(h, name, text)
		if err != nil {
			return Plan{}, err
		}
		if len(edits) > 0 {
			p.Edits = append(p.Edits, edits...)
			p.Effects = []Effect{Do{Verb: Reread}}
		}
	}
	slices.SortFunc(p.Edits, func(a, b Edit) int { return strings.Compare(a.String(), b.String()) })
	return p, nil
}

var (
	clock    = regexp.MustCompile(`^\d{1,2}:\d{2}$`)
	calendar = regexp.MustCompile(`(?m)^OnCalendar=.*$`)
)

// timer is the timer's unit with the site's time in it.
func (r Backup) timer() string {
	at := r.At
	if at == "" {
		return systemd.Unit(systemd.BackupTimer)
	}
	if clock.MatchString(at) {
		at = "*-*-* " + at + ":00"
	}
	return calendar.ReplaceAllLiteralString(systemd.Unit(systemd.BackupTimer), "OnCalendar="+at)
}

// makeBackup is the step of one backup.
type makeBackup struct{ Backup }

func (s makeBackup) String() string {
	return fmt.Sprintf("back up database %s and realm %s to %s", s.Database, s.Realm, s.Dir)
}

// Done implements [Step]. A newest one that has gone bad is one too few, whatever
// there is besides: it is what everybody would take.
func (s makeBackup) Done(ctx context.Context, h *host.Host) (bool, error) {
	all, err := ListBackups(h, s.Dir)
	if err != nil {
		return false, err
	}
	for _, b := range all {
		if b.Counts() {
			if b, err = h.ReadBackup(ctx, b); err != nil {
				return false, err
			}
		}
		switch {
		case b.Corrupt:
			return false, nil
		case b.Counts():
			return h.Now().Sub(b.Manifest.Made) <= s.MaxAge, nil
		}
	}
	return false, nil
}

// Do implements [Step].
func (s makeBackup) Do(ctx context.Context, w Hands, h *host.Host) error {
	_, err := s.Create(ctx, w, h)
	return err
}

// Prune deletes the backups that are older than Keep, and what is left of those
// that were never finished. The newest proved one stays, however old it is.
func (r Backup) Prune(ctx context.Context, w Hands, h *host.Host) error {
	spent, err := h.SpentBackups(r.Dir, r.Keep)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range spent {
		errs = append(errs, removeBackup(ctx, w, path))
	}
	return errors.Join(errs...)
}

func removeBackup(ctx context.Context, w Hands, path string) error {
	if _, err := w.Run(ctx, Command{Name: "backup-remove", Args: []string{path}}); err != nil {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return nil
}

// renderManifest is manifest.json.
func renderManifest(m host.BackupManifest) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}
	return b.Bytes(), nil
}
