package self

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// LeftUndone says that a run of a remedy ended in the middle.
const LeftUndone probes.Code = "self.left-undone"

// Journal is the probe self.journal. A remedy's journal file is there only while
// the remedy is at work, so one whose writer is gone tells of work cut short.
type Journal struct {
	// Dir holds the files, one for each remedy at work: REMEDY.json.
	Dir string
}

// Spec implements [probes.Probe].
func (p Journal) Spec() probes.Spec {
	return probes.Spec{
		ID:      "self.journal",
		Summary: "whether a run that ended in the middle left something half done",
		Codes:   []probes.Code{LeftUndone},
		Every:   fast,
		Timeout: timeout,
	}
}

// Observe implements [probes.Probe].
func (p Journal) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := h.FS.ReadDir(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was ever begun, or all went with its directory
	}
	if err != nil {
		return nil, fmt.Errorf("list what is at work: %w", err)
	}
	var found []probes.Finding
	for _, name := range names {
		remedy, ok := strings.CutSuffix(name, ".json")
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		f, err := p.left(h, remedy)
		if err != nil {
			return nil, err
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return found, nil
}

// left judges one file. One that names no writer, or can't be read as what it
// should be, has nobody at work on it.
func (p Journal) left(h *host.Host, remedy string) (*probes.Finding, error) {
	name := path.Join(p.Dir, remedy+".json")
	data, err := h.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // ended a moment ago
	}
	if err != nil {
		return nil, fmt.Errorf("read what is at work: %w", err)
	}
	var file struct {
		Writer host.Writer `json:"writer"`
	}
	if json.Unmarshal(data, &file) != nil { // the form of earlier versions is a list
		file.Writer = host.Writer{}
	}
	alive, err := file.Writer.Alive(h.FS)
	if err != nil || alive {
		return nil, err
	}
	by := "its writer is not known"
	if file.Writer.PID != 0 {
		by = fmt.Sprintf("process %d, which began it, is gone", file.Writer.PID)
	}
	return &probes.Finding{
		Code: LeftUndone, Subject: remedy, Summary: "a run of " + probes.Clip(remedy) + " ended in the middle: " + by,
		Evidence: []probes.Evidence{{Source: name, Want: "no such file but while " + probes.Clip(remedy) + " is at work", Got: by, Command: "cat " + name + "; watchdog plan"}},
	}, nil
}
