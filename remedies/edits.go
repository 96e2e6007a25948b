package remedies

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"watchdog/probes/host"
)

// Write is the one edit of files, directories, links and kernel parameters: it
// makes Path what New says if it still is what Old says. Old nil creates, New
// nil removes.
type Write struct {
	Path     string
	Old, New *host.Node
	// Hide lists secrets to keep out of the diff.
	Hide []host.Secret
}

// Converge returns the edit that makes path what want says, or none when it
// already is.
func Converge(h *host.Host, path string, want *host.Node, hide ...host.Secret) ([]Edit, error) {
	old, err := h.FS.Node(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if old.Equal(want) {
		return nil, nil
	}
	return []Edit{Write{Path: path, Old: old, New: want, Hide: hide}}, nil
}

// File returns a regular file's node.
func File(data []byte, owner, group string, mode fs.FileMode) *host.Node {
	return &host.Node{Mode: mode.Perm(), Owner: owner, Group: group, Data: data}
}

// Directory returns a directory's node.
func Directory(owner, group string, mode fs.FileMode) *host.Node {
	return &host.Node{Mode: fs.ModeDir | mode.Perm(), Owner: owner, Group: group}
}

// Link returns a symbolic link's node.
func Link(target string) *host.Node {
	return &host.Node{Mode: fs.ModeSymlink | 0o777, Owner: "root", Group: "root", Data: []byte(target)}
}

func (w Write) String() string {
	switch {
	case w.New == nil:
		return "remove " + w.Path
	case w.Old == nil:
		return fmt.Sprintf("create %s (%s)", w.Path, describe(w.New))
	case strings.HasPrefix(w.Path, "/proc/sys/"):
		return fmt.Sprintf("set %s from %s to %s", w.Path, bytes.TrimSpace(w.Old.Data), bytes.TrimSpace(w.New.Data))
	case string(w.Old.Data) == string(w.New.Data) && w.Old.Mode.Type() == w.New.Mode.Type():
		return fmt.Sprintf("set %s from %s to %s", w.Path, describe(w.Old), describe(w.New))
	}
	return "change " + w.Path
}

// describe gives owner and mode the way ls and chmod speak of them.
func describe(n *host.Node) string {
	switch n.Mode.Type() {
	case fs.ModeSymlink:
		return "link to " + string(n.Data)
	case fs.ModeDir:
		return fmt.Sprintf("directory %s:%s %04o", n.Owner, n.Group, n.Mode.Perm())
	}
	return fmt.Sprintf("%s:%s %04o", n.Owner, n.Group, n.Mode.Perm())
}

// Diff is a unified diff with a header line for owner and mode. Secrets are
// redacted on both sides, so a changed secret shows as no change of text: those
// of Hide, and what looks like one, for the old text may hold some that nobody
// here knows of.
func (w Write) Diff() string {
	head := "# " + w.String() + "\n"
	oldText, newText := w.text(w.Old), w.text(w.New)
	return head + udiff.Unified(w.Path, w.Path, oldText, newText)
}

// What looks like a secret: a private key in PEM, and the value of a name that
// ends in password or secret, as far as the line goes.
var (
	privateKey = regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END ([A-Z ]*)PRIVATE KEY-----|\z)`)
	password   = regexp.MustCompile(`(?im)((?:password|passwd|secret)["']?[ \t]*[=:][ \t]*)\S.*$`)
)

func (w Write) text(n *host.Node) string {
	redacted := host.Secret{}.String()
	switch {
	case n == nil || !n.Mode.IsRegular() || len(n.Data) == 0:
		return ""
	case strings.HasPrefix(w.Path, host.SecretDir+"/"):
		return redacted + "\n"
	case !utf8.Valid(n.Data):
		return fmt.Sprintf("(%d bytes, not text)\n", len(n.Data))
	}
	s := string(n.Data)
	for _, h := range w.Hide {
		if !h.Missing() {
			s = strings.ReplaceAll(s, h.Reveal(), redacted)
		}
	}
	s = privateKey.ReplaceAllString(s, "-----BEGIN ${1}PRIVATE KEY----- "+redacted)
	return password.ReplaceAllString(s, "${1}"+redacted)
}

// Do implements [Edit].
func (w Write) Do(ctx context.Context, hands Hands) error {
	return hands.Write(ctx, w.Path, w.Old, w.New)
}

// Undo implements [Edit].
func (w Write) Undo(ctx context.Context, hands Hands) error {
	return hands.Write(ctx, w.Path, w.New, w.Old)
}
