package hands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"watchdog/probes/host"
)

// originals is where the first bytes of files are kept that this program did
// not make: /etc/gai.conf as originals/etc/gai.conf, 0600, with what else there
// was to know in gai.conf.watchdog.json beside it.
const originals = "/var/lib/watchdog/original"

// created lists the files that this program made, one path a line: of those
// there is no original to keep.
const created = originals + "/.created"

// An original is what the copy itself does not show.
type original struct {
	Type  string    `json:"type"` // "file" or "link"; a link's copy holds its target
	Mode  string    `json:"mode"` // "0644"
	Owner uint32    `json:"owner"`
	Group uint32    `json:"group"`
	MTime time.Time `json:"mtime"`
}

// keep saves c before it becomes n, if its bytes are going to be lost and it is
// the first of that name that is not ours. What can't be kept is not replaced.
func (w *Hands) keep(p place, c *current, n *host.Node) error {
	if c == nil || c.mode.IsDir() {
		return nil
	}
	if n != nil && c.mode.Type() == n.Mode.Type() && bytes.Equal(c.data, n.Data) {
		return nil
	}
	copied := w.path(path.Join(originals, p.name))
	if _, err := os.Lstat(copied); err == nil {
		return nil
	}
	ours, err := w.ours()
	if err != nil || slices.Contains(ours, p.name) {
		return err
	}
	if err := w.keepNew(copied, c); err != nil {
		return fmt.Errorf("write %s: keep its first bytes: %w", p.name, err)
	}
	return nil
}

func (w *Hands) keepNew(copied string, c *current) error {
	about := original{
		Type: "file", Mode: fmt.Sprintf("%04o", c.stat.Mode&0o7777),
		Owner: c.stat.Uid, Group: c.stat.Gid,
		MTime: time.Unix(c.stat.Mtim.Unix()).UTC(),
	}
	if c.mode.Type() == fs.ModeSymlink {
		about.Type = "link"
	}
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path.Dir(copied), 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(copied+".watchdog.json", append(text, '\n'), 0o600); err != nil {
		return err
	}
	// Last: that it is there is what says that the original is kept.
	return renameio.WriteFile(copied, c.data, 0o600)
}

// ours reads the list of files that this program made; like its file it ends
// with an empty line.
func (w *Hands) ours() ([]string, error) {
	data, err := os.ReadFile(w.path(created))
	if errors.Is(err, fs.ErrNotExist) {
		return []string{""}, nil
	}
	return strings.Split(string(data), "\n"), err
}

// own adds a name to that list, disown takes it off.
func (w *Hands) own(name string) error {
	ours, err := w.ours()
	if err != nil || slices.Contains(ours, name) {
		return err
	}
	if err := os.MkdirAll(w.path(originals), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(w.path(created), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	line := name + "\n"
	if ours[len(ours)-1] != "" { // a line cut off by a crash
		line = "\n" + line
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Sync()
}

func (w *Hands) disown(name string) error {
	ours, err := w.ours()
	if err != nil || !slices.Contains(ours, name) {
		return err
	}
	left := slices.DeleteFunc(ours, func(s string) bool { return s == name })
	return renameio.WriteFile(w.path(created), []byte(strings.Join(left, "\n")), 0o600)
}
