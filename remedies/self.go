package remedies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"watchdog/packaging/systemd"
	"watchdog/probes/host"
)

// Program is where the units expect the program.
const Program = "/usr/bin/watchdog"

// packagedUnits are the directories of the units that packages bring.
var packagedUnits = []string{"/usr/lib/systemd/system", "/lib/systemd/system"}

// Self installs the program's own services: the engine, and the exporter with
// its unprivileged user. Where a distribution package has brought the units,
// they stay as they are. A service that runs an older program or unit than the
// host has is restarted: so this remedy is install's, never the engine's own.
type Self struct{}

// Spec implements [Remedy].
func (r Self) Spec() Spec {
	return Spec{ID: "self", Summary: "install and start the watchdog itself", Timeout: 3 * time.Minute}
}

// Plan implements [Remedy].
func (r Self) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	var p Plan
	there, err := exists(h, Program)
	if err != nil {
		return Plan{}, err
	}
	if !there {
		p.Waits = []string{"the program at " + Program}
	}
	for _, s := range []Step{createGroup{systemd.Group}, CreateUser{Name: systemd.ExportUser, Home: "/nonexistent"}} {
		done, err := s.Done(ctx, h)
		if err != nil {
			return Plan{}, err
		}
		if !done {
			p.Steps = append(p.Steps, s)
		}
	}
	if h.Facts.Init != host.Systemd {
		return p, nil
	}
	units := []string{systemd.Engine, systemd.Export}
	changed := map[string]bool{}
	for _, name := range units {
		if brought, err := packaged(h, name); err != nil {
			return Plan{}, err
		} else if brought != nil {
			continue
		}
		edits, err := Converge(h, systemUnits+"/"+name, File([]byte(systemd.Unit(name)), "root", "root", 0o644))
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, edits...)
		changed[name] = len(edits) > 0
	}
	if len(p.Edits) > 0 {
		p.Effects = append(p.Effects, Do{Verb: Reread})
	}
	for _, name := range units {
		effects, err := started(ctx, h, name, changed[name])
		if err != nil {
			return Plan{}, err
		}
		p.Effects = append(p.Effects, effects...)
	}
	return p, nil
}

// started makes a unit run, now and at boot, by its present file and program.
func started(ctx context.Context, h *host.Host, unit string, changed bool) ([]Effect, error) {
	u, err := h.Init.Unit(ctx, unit)
	if err != nil {
		return nil, err
	}
	var out []Effect
	if !u.Enabled {
		out = append(out, Do{Verb: Enable, Unit: unit})
	}
	if u.State != host.Running && u.State != host.Starting {
		return append(out, Do{Verb: Start, Unit: unit}), nil
	}
	old, err := replaced(h, u.PID)
	if err != nil {
		return nil, err
	}
	if changed || old {
		out = append(out, Do{Verb: Restart, Unit: unit})
	}
	return out, nil
}

// replaced reports whether the process runs a program that is no longer the
// file of that name: the kernel says so in the link's target.
func replaced(h *host.Host, pid int) (bool, error) {
	n, err := h.FS.Node(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || n == nil {
		return false, err
	}
	return strings.HasSuffix(string(n.Data), " (deleted)"), nil
}

// exists looks for a name in its directory: the file itself may be too large to
// be read as a node.
func exists(h *host.Host, file string) (bool, error) {
	names, err := h.FS.ReadDir(path.Dir(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return slices.Contains(names, path.Base(file)), nil
}

// packaged returns the unit that a package brought, nil when none did.
func packaged(h *host.Host, name string) (*host.Node, error) {
	for _, dir := range packagedUnits {
		n, err := h.FS.Node(dir + "/" + name)
		if err != nil || n != nil {
			return n, err
		}
	}
	return nil, nil
}

// unitEdits makes the host's own unit say text, unless the one that a package
// brought does and nothing stands in its way.
func unitEdits(h *host.Host, name, text string) ([]Edit, error) {
	brought, err := packaged(h, name)
	if err != nil {
		return nil, err
	}
	own, err := h.FS.Node(systemUnits + "/" + name)
	if err != nil {
		return nil, err
	}
	if own == nil && brought != nil && string(brought.Data) == text {
		return nil, nil
	}
	return Converge(h, systemUnits+"/"+name, File([]byte(text), "root", "root", 0o644))
}

// createGroup is the step that makes a system group.
type createGroup struct{ name string }

func (s createGroup) String() string { return "create system group " + s.name }

// Done implements [Step].
func (s createGroup) Done(_ context.Context, h *host.Host) (bool, error) {
	data, err := h.FS.ReadFile("/etc/group")
	if err != nil {
		return false, fmt.Errorf("read the groups: %w", err)
	}
	return bytes.Contains(append([]byte("\n"), data...), []byte("\n"+s.name+":")), nil
}

// Do implements [Step].
func (s createGroup) Do(ctx context.Context, w Hands, _ *host.Host) error {
	_, err := w.Run(ctx, Command{Name: "group-add", Args: []string{s.name}})
	return err
}
