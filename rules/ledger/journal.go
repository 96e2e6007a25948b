package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// Dir is the program's state directory, 0700 root.
const Dir = "/var/lib/watchdog"

// A Journal remembers, across a crash, the effects of plans that were begun:
// one small file per remedy, written before the first edit and removed when the
// last effect has settled. install, heal and the daemon share it.
type Journal struct{ Dir string }

// NewJournal keeps its files below the state directory.
func NewJournal(state string) Journal { return Journal{filepath.Join(state, "journal")} }

func (j Journal) file(remedy string) string { return filepath.Join(j.Dir, remedy+".json") }

// Plan plans r and adds the effects that an earlier run of it left undone.
func (j Journal) Plan(ctx context.Context, r remedies.Remedy, h *host.Host) (remedies.Plan, error) {
	p, err := r.Plan(ctx, h)
	if err != nil {
		return p, fmt.Errorf("plan %s: %w", r.Spec().ID, err)
	}
	p.Remedy = r.Spec().ID
	left, err := j.read(p.Remedy)
	if err != nil {
		return p, err
	}
	planned := map[string]bool{}
	for _, e := range p.Effects {
		planned[e.String()] = true
	}
	for _, rec := range left {
		if e := rec.Effect(); !planned[e.String()] {
			p.Effects = append(p.Effects, e)
		}
	}
	return p, nil
}

// Apply applies p and keeps the journal about it. The journal's file stays only
// when the process dies or putting back did not work.
func (j Journal) Apply(ctx context.Context, p remedies.Plan, w remedies.Hands, h *host.Host, pr remedies.Progress) error {
	left, err := j.read(p.Remedy) // begin writes over it
	if err != nil {
		return err
	}
	if err := j.begin(p); err != nil {
		return err
	}
	err = p.Apply(ctx, w, h, pr)
	switch {
	case errors.Is(err, remedies.ErrNotBack):
		return err
	case err != nil && len(left) > 0: // what an earlier run left is still to be done
		return errors.Join(err, j.write(p.Remedy, left))
	}
	return errors.Join(err, j.end(p.Remedy))
}

// Revert undoes p after its proof failed.
func (j Journal) Revert(ctx context.Context, p remedies.Plan, w remedies.Hands, h *host.Host, pr remedies.Progress) error {
	if err := j.begin(p); err != nil {
		return err
	}
	if err := p.Revert(ctx, w, h, pr); err != nil {
		return err
	}
	return j.end(p.Remedy)
}

func (j Journal) begin(p remedies.Plan) error {
	records := p.Records()
	if len(p.Edits) == 0 || len(records) == 0 {
		return nil // nothing that could be left half done unseen
	}
	return j.write(p.Remedy, records)
}

func (j Journal) write(remedy string, records []remedies.Record) error {
	data, err := json.Marshal(records)
	if err != nil {
		return fmt.Errorf("journal %s: %w", remedy, err)
	}
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return fmt.Errorf("journal %s: %w", remedy, err)
	}
	if err := renameio.WriteFile(j.file(remedy), data, 0o600); err != nil {
		return fmt.Errorf("journal %s: %w", remedy, err)
	}
	return nil
}

func (j Journal) end(remedy string) error {
	err := os.Remove(j.file(remedy))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal %s: %w", remedy, err)
	}
	return nil
}

// read returns what an earlier run left undone. A file that can't be understood
// is set aside, not obeyed: the remedy's own plan still stands.
func (j Journal) read(remedy string) ([]remedies.Record, error) {
	data, err := os.ReadFile(j.file(remedy))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // without root there is nothing to finish either
	}
	if err != nil {
		return nil, fmt.Errorf("read journal of %s: %w", remedy, err)
	}
	var records []remedies.Record
	if err := json.Unmarshal(data, &records); err != nil {
		if err := os.Rename(j.file(remedy), j.file(remedy)+".corrupt"); err != nil {
			return nil, fmt.Errorf("set aside the journal of %s: %w", remedy, err)
		}
		return nil, nil
	}
	return records, nil
}
