package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// unitDirs holds where systemd looks for units and drop-ins (systemd.unit(5)).
var unitDirs = []string{SystemUnits, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"}

// UnitFiles lists the files that a unit's text is in: those of its name, shadowed
// ones too, and its drop-ins. A mask, which is a link to /dev/null, is none.
func (h *Host) UnitFiles(unit string) ([]string, error) {
	var out []string
	for _, dir := range unitDirs {
		names, err := h.FS.ReadDir(dir + "/" + unit + ".d")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list drop-ins of %s: %w", unit, err)
		}
		files := []string{dir + "/" + unit}
		for _, n := range names {
			if path.Ext(n) == ".conf" {
				files = append(files, dir+"/"+unit+".d/"+n)
			}
		}
		for _, name := range files {
			n, err := h.FS.Node(name)
			if err != nil {
				return nil, err
			}
			if n != nil && !n.hides() {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// hides reports whether the node is a link to /dev/null: so files of that name
// in later directories are kept from being read.
func (n *Node) hides() bool {
	return n.Mode.Type() == fs.ModeSymlink && string(n.Data) == "/dev/null"
}

// environmentFile is a unit's reference to a file of variables. A leading "-"
// says that the file need not exist.
var environmentFile = regexp.MustCompile(`^\s*EnvironmentFile=-?(/[^\s*%]+)\s*$`)

// EnvironmentFiles lists the files of variables that a unit's text names. Those
// with globs and specifiers in their names are not followed.
func EnvironmentFiles(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if m := environmentFile.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}
