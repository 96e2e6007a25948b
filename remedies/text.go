package remedies

import (
	"bytes"
	"fmt"
	"io/fs"

	"watchdog/probes/host"
)

// A text is a configuration file that is edited, not owned: what it is now, and
// what it is to be.
type text struct {
	path string // of the file itself, where links lead to it
	old  *host.Node
	data []byte
}

// readText reads the file that name leads to. One that does not exist has no
// node and no data.
func readText(h *host.Host, name string) (text, error) {
	f, err := h.TextFile(name)
	if err != nil {
		return text{}, err
	}
	return textOf(f), nil
}

func textOf(f host.TextFile) text {
	t := text{path: f.Path, old: f.Node}
	if f.Node != nil {
		t.data = f.Node.Data
	}
	return t
}

// edits returns the edit that makes the file hold t.data, or none when it does.
// Owner and mode stay; a new file is root's, 0644.
func (t text) edits() []Edit {
	if t.old != nil && bytes.Equal(t.old.Data, t.data) || t.old == nil && len(t.data) == 0 {
		return nil
	}
	n := File(t.data, "root", "root", 0o644)
	if t.old != nil {
		n.Mode, n.Owner, n.Group = t.old.Mode, t.old.Owner, t.old.Group
	}
	return []Edit{Write{Path: t.path, Old: t.old, New: n}}
}

// directory returns the edits that create name, root's with the given mode,
// and nothing when it exists: its owner may have set it up otherwise.
func directory(h *host.Host, name string, mode fs.FileMode) ([]Edit, error) {
	n, err := h.FS.Node(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if n != nil {
		return nil, nil
	}
	return []Edit{Write{Path: name, New: Directory("root", "root", mode)}}, nil
}
