package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// Dir is the program's state directory, 0700 root.
const Dir = host.StateDir

// A Journal remembers, across a crash, which plans were begun: one small file per
// remedy at work, written before anything is done and removed when all has
// settled. It names its writer, so that probe self.journal can tell one that was
// cut short, and holds the effects, which no later plan could see are still to be
// done. install, heal and the daemon share it.
type Journal struct{ Dir string }

// NewJournal keeps its files below the state directory.
func NewJournal(state string) Journal { return Journal{filepath.Join(state, "journal")} }

func (j Journal) file(remedy string) string { return filepath.Join(j.Dir, remedy+".json") }

// An entry is what a file holds.
type entry struct {
	// Writer is at work on it; nobody is when putting back did not work.
	Writer  host.Writer       `json:"writer"`
	Records []remedies.Record `json:"records"`
	// Ran says in which start each service ran that a plan of nothing but
	// restarts is for: in another one, it has been restarted since.
	Ran map[string]uint64 `json:"ran,omitempty"`
}

// Plan plans r and adds the effects that an earlier run of it left undone. What
// that run was to restart and has been restarted since is left out. Where the
// plan comes out empty all the same, Apply removes what the run left ([Journal.Left]).
func (j Journal) Plan(ctx context.Context, r remedies.Remedy, h *host.Host) (remedies.Plan, error) {
	p, err := r.Plan(ctx, h)
	if err != nil {
		return p, fmt.Errorf("plan %s: %w", r.Spec().ID, err)
	}
	p.Remedy, p.Risk = r.Spec().ID, r.Spec().Risk
	left, err := j.read(p.Remedy)
	if err != nil && p.Risk > remedies.Blip {
		return p, err
	}
	if left == nil {
		return p, nil
	}
	done, err := left.done(ctx, p, h)
	if err != nil {
		return p, fmt.Errorf("plan %s: %w", p.Remedy, err)
	}
	if done {
		return remedies.Plan{Remedy: p.Remedy, Risk: p.Risk}, nil
	}
	planned := map[string]bool{}
	for _, e := range p.Effects {
		planned[e.String()] = true
	}
	for _, rec := range left.Records {
		if e := rec.Effect(); !planned[e.String()] {
			planned[e.String()] = true
			p.Effects = append(p.Effects, e)
		}
	}
	return p, nil
}

// done reports whether all that the earlier run was to do was to restart
// services, and they have been: to do it once more would only cost their users
// another outage.
func (e *entry) done(ctx context.Context, p remedies.Plan, h *host.Host) (bool, error) {
	if len(e.Ran) == 0 || len(p.OnlyRestarts()) == 0 {
		return false, nil
	}
	for unit, start := range e.Ran {
		u, err := h.Init.Unit(ctx, unit)
		if err != nil {
			return false, err
		}
		if u.State != host.Running || u.Starts == start {
			return false, nil
		}
	}
	return true, nil
}

// Left reports whether an earlier run of the remedy was cut short: then its plan
// is to be applied even where it is empty or only waits.
func (j Journal) Left(remedy string) bool {
	left, err := j.read(remedy)
	return err == nil && left != nil
}

// Apply applies p and keeps the journal about it. The journal's file stays only
// when the process dies or putting back did not work. Where it can't be written,
// only what costs little is done, and remembered by nobody.
func (j Journal) Apply(ctx context.Context, p remedies.Plan, w remedies.Hands, h *host.Host, pr remedies.Progress) error {
	left, err := j.read(p.Remedy) // begin writes over it
	if err == nil {
		err = j.begin(ctx, p, h)
	}
	if err != nil {
		if p.Risk > remedies.Blip {
			return err
		}
		say(pr, "go on without the journal", err)
		return p.Apply(ctx, w, h, pr)
	}
	err = p.Apply(ctx, w, h, pr)
	switch {
	case errors.Is(err, remedies.ErrNotBack):
		return errors.Join(err, j.leave(p))
	case err != nil && left != nil: // what an earlier run left is still to be done
		return errors.Join(err, j.write(p.Remedy, entry{Records: left.Records, Ran: left.Ran}))
	}
	return errors.Join(err, j.end(p.Remedy))
}

// Revert undoes p after its proof failed.
func (j Journal) Revert(ctx context.Context, p remedies.Plan, w remedies.Hands, h *host.Host, pr remedies.Progress) error {
	if err := j.begin(ctx, p, h); err != nil {
		// Putting back is no risk: what was before is.
		say(pr, "go on without the journal", err)
		return p.Revert(ctx, w, h, pr)
	}
	if err := p.Revert(ctx, w, h, pr); err != nil {
		return errors.Join(err, j.leave(p))
	}
	return j.end(p.Remedy)
}

// say lets progress hear of what did not work.
func say(pr remedies.Progress, what string, err error) {
	if pr == nil {
		return
	}
	_ = pr.Begin(what) // nobody is asked
	pr.End(what, err)
}

// begin writes down that this process is at work on p.
func (j Journal) begin(ctx context.Context, p remedies.Plan, h *host.Host) error {
	if p.Empty() {
		return nil
	}
	me, err := host.Me()
	if err != nil {
		return fmt.Errorf("journal %s: %w", p.Remedy, err)
	}
	return j.write(p.Remedy, entry{Writer: me, Records: p.Records(), Ran: ran(ctx, p.OnlyRestarts(), h)})
}

// ran looks in which start each unit is. One that can't be seen is not known to
// have been restarted later.
func ran(ctx context.Context, units []string, h *host.Host) map[string]uint64 {
	out := map[string]uint64{}
	for _, name := range units {
		u, err := h.Init.Unit(ctx, name)
		if err != nil {
			return nil
		}
		out[name] = u.Starts
	}
	return out
}

// leave writes down that nobody is at work any more on what is half done.
func (j Journal) leave(p remedies.Plan) error {
	return j.write(p.Remedy, entry{Records: p.Records()})
}

func (j Journal) write(remedy string, e entry) error {
	data, err := json.Marshal(e)
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

// read returns what an earlier run left, nil when it left nothing. A file that
// can't be understood is set aside, not obeyed: the remedy's own plan still
// stands.
func (j Journal) read(remedy string) (*entry, error) {
	data, err := os.ReadFile(j.file(remedy))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // without root there is nothing to finish either
	}
	if err != nil {
		return nil, fmt.Errorf("read journal of %s: %w", remedy, err)
	}
	var e entry
	if bytes.HasPrefix(data, []byte("[")) { // as earlier versions wrote it
		err = json.Unmarshal(data, &e.Records)
	} else {
		err = json.Unmarshal(data, &e)
	}
	if err != nil {
		if err := os.Rename(j.file(remedy), j.file(remedy)+".corrupt"); err != nil {
			return nil, fmt.Errorf("set aside the journal of %s: %w", remedy, err)
		}
		return nil, nil
	}
	return &e, nil
}
