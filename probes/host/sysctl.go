package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// SysctlOwn is the file of kernel parameters that is the program's own.
const SysctlOwn = "/etc/sysctl.d/99-ipv6.conf"

// sysctlDirs are those of sysctl.d(5): a file in an earlier one hides the one
// of the same name in a later one.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// SysctlConf is what sysctl --system reads after all of them.
const SysctlConf = "/etc/sysctl.conf"

// A TextFile is a file that is reached by a name, which may be that of a link.
type TextFile struct {
	Name string // by which it is known
	Path string // of the file itself
	Node *Node  // nil when it does not exist
}

// SysctlFiles reads the files of the next start in the order in which
// systemd-sysctl, and behind it sysctl --system, applies them. [SysctlOwn] is
// among them even where it does not exist yet. One that is hidden by a link to
// /dev/null is left out, and one that several names lead to stands where it is
// read first: Debian's 99-sysctl.conf leads to /etc/sysctl.conf.
func (h *Host) SysctlFiles() ([]TextFile, error) {
	at := map[string]string{path.Base(SysctlOwn): SysctlOwn}
	for _, dir := range sysctlDirs {
		names, err := h.FS.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".conf") && at[n] == "" {
				at[n] = dir + "/" + n
			}
		}
	}
	var names []string
	for _, n := range slices.Sorted(maps.Keys(at)) {
		names = append(names, at[n])
	}
	var files []TextFile
	for _, name := range append(names, SysctlConf) {
		n, err := h.FS.Node(name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if n != nil && n.hides() {
			continue
		}
		f, err := h.TextFile(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(files, func(g TextFile) bool { return g.Path == f.Path }) {
			files = append(files, f)
		}
	}
	return files, nil
}

// maxHops bounds the links that lead to a text file.
const maxHops = 8

// TextFile reads the regular file that name leads to. One that does not exist
// has no node and is no error.
func (h *Host) TextFile(name string) (TextFile, error) {
	at := name
	for range maxHops {
		n, err := h.FS.Node(at)
		switch {
		case err != nil:
			return TextFile{}, fmt.Errorf("read %s: %w", name, err)
		case n == nil || n.Mode.IsRegular():
			return TextFile{name, at, n}, nil
		case n.Mode.Type() != fs.ModeSymlink:
			return TextFile{}, fmt.Errorf("read %s: not a regular file", name)
		}
		target := string(n.Data)
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(at), target)
		}
		at = path.Clean(target)
	}
	return TextFile{}, fmt.Errorf("read %s: more than %d links", name, maxHops)
}
