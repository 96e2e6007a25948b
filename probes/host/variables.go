package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"watchdog/probes/format/unitfile"
)

// SystemUnits is where a host's own units and drop-ins are.
const SystemUnits = "/etc/systemd/system"

// A Variable is set for a unit's processes.
type Variable struct {
	Name, Value string
	// File and Line are where it is set.
	File string
	Line int
	// Shared says that the file is one of variables, which other programs may
	// read as well, and no part of the unit.
	Shared bool
}

// Variables lists what sets variables for a unit's processes, in the order in
// which it counts: of one name the last one wins. Files of variables win over
// the unit's own lines; those with globs and specifiers in their names are not
// followed. It says what the files say, which the manager may not have read yet.
func (h *Host) Variables(unit string) ([]Variable, error) {
	units, err := h.unitInForce(unit)
	if err != nil {
		return nil, err
	}
	var set []Variable
	var files []string
	for _, name := range units {
		text, err := h.FS.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, s := range unitfile.Statements(string(text)) {
			switch {
			case s.OfFile && s.Forgets():
				files = nil
			case s.OfFile:
				files = append(files, s.File)
			case s.Forgets():
				set = nil
			}
			set = append(set, variables(s.Sets, name, false)...)
		}
	}
	for _, name := range files {
		if !path.IsAbs(name) || strings.ContainsAny(name, "*?[%") {
			continue
		}
		text, err := h.FS.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		set = append(set, variables(unitfile.Variables(string(text)), name, true)...)
	}
	return set, nil
}

func variables(sets []unitfile.Assignment, file string, shared bool) []Variable {
	var out []Variable
	for _, a := range sets {
		out = append(out, Variable{Name: a.Name, Value: a.Value, File: file, Line: a.Line, Shared: shared})
	}
	return out
}

// unitInForce lists the files that make up a unit, in the order in which the
// manager reads them: its own one and its drop-ins, each as the first directory
// has it that has one of that name.
func (h *Host) unitInForce(unit string) ([]string, error) {
	all, err := h.UnitFiles(unit)
	if err != nil {
		return nil, err
	}
	var own, dropIns []string
	for _, name := range all {
		shadowed, err := h.shadowed(name)
		switch {
		case err != nil:
			return nil, err
		case shadowed:
		case path.Base(name) == unit:
			own = append(own, name)
		default:
			dropIns = append(dropIns, name)
		}
	}
	slices.SortFunc(dropIns, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return append(own, dropIns...), nil
}

// shadowed reports whether a directory before a unit file's own has something of
// its name, a mask too.
func (h *Host) shadowed(name string) (bool, error) {
	for _, dir := range unitDirs {
		rest, ok := strings.CutPrefix(name, dir+"/")
		if !ok {
			continue
		}
		for _, before := range unitDirs[:slices.Index(unitDirs, dir)] {
			if n, err := h.FS.Node(before + "/" + rest); n != nil || err != nil {
				return n != nil, err
			}
		}
	}
	return false, nil
}
