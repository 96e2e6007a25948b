package certs

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"watchdog/probes/host"
)

// A place is a file as one user finds it.
type place struct {
	name string
	node *host.Node // of the file itself, links followed; nil when there is none
	data []byte
	// barred is the file or directory that keeps the user out, if any, and
	// why says how.
	barred, why string
}

func (p place) base() string { return path.Base(p.name) }

// maxLinks bounds how many links lead on; Linux allows 40 (path_resolution(7)).
const maxLinks = 40

// reach goes to name the way the kernel does for a process of user's: each
// directory has to let it pass, and the file to let it read.
func reach(h *host.Host, name, user string) (place, error) {
	p := place{name: name}
	rest := strings.Split(strings.Trim(name, "/"), "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		n, err := h.FS.Node(next)
		if err != nil {
			return p, fmt.Errorf("look at %s: %w", next, err)
		}
		if n == nil {
			return p, nil
		}
		rest = rest[1:]
		if n.Mode.Type() == fs.ModeSymlink {
			if links++; links > maxLinks {
				return p, fmt.Errorf("look at %s: too many links", name)
			}
			target := string(n.Data)
			if path.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
			continue
		}
		need, word := fs.FileMode(0o1), "can't be entered"
		if len(rest) == 0 {
			need, word = 0o4, "can't be read"
			p.node, p.data = n, n.Data
		}
		if p.barred == "" && user != "root" && bits(n, user)&need == 0 {
			p.barred, p.why = next, modeOf(n)+" "+word
		}
		at = next
	}
	// The file's own name in evidence is the one that was asked for.
	if p.node != nil && p.barred == at {
		p.barred = name
	}
	return p, nil
}

// bits gives the permissions that count for user, who has one group of the same
// name: the first class that fits, even if another would give more.
func bits(n *host.Node, user string) fs.FileMode {
	switch user {
	case n.Owner:
		return n.Mode.Perm() >> 6
	case n.Group:
		return n.Mode.Perm() >> 3 & 0o7
	}
	return n.Mode.Perm() & 0o7
}

func modeOf(n *host.Node) string {
	return fmt.Sprintf("%04o %s:%s", n.Mode.Perm(), n.Owner, n.Group)
}
