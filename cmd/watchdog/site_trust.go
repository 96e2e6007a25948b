package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// siteOwnership decides whether a site file may be acted upon by root: nobody
// but root may be able to change it, or to put another in its place.
type siteOwnership struct {
	look func(name string) (siteNode, error) // of the thing itself, links not followed
}

// siteNode is what decides about one file, directory or link.
type siteNode struct {
	mode fs.FileMode
	uid  uint32
	link string // target of a symbolic link
}

// siteOwners looks at this machine.
func siteOwners() siteOwnership {
	return siteOwnership{look: func(name string) (siteNode, error) {
		info, err := os.Lstat(name)
		if err != nil {
			return siteNode{}, err
		}
		n := siteNode{mode: info.Mode()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n.uid = st.Uid
		}
		if n.mode.Type() == fs.ModeSymlink {
			n.link, err = os.Readlink(name)
		}
		return n, err
	}}
}

// resolve follows name from the root directory, through every link, and returns
// the path without links, which only root can change. A sticky directory is no
// exception: /tmp is nobody's place for a site file.
func (o siteOwnership) resolve(name string) (string, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	at, rest, links := "/", siteSplit(name), 0
	if err := o.safe("/"); err != nil {
		return "", err
	}
	for len(rest) > 0 {
		next := rest[0]
		rest = rest[1:]
		if next == ".." {
			at = filepath.Dir(at)
			continue
		}
		path := filepath.Join(at, next)
		n, err := o.look(path)
		if err != nil {
			return "", err
		}
		if n.mode.Type() != fs.ModeSymlink {
			if err := n.safe(path, len(rest) > 0); err != nil {
				return "", err
			}
			at = path
			continue
		}
		if links++; links > 40 {
			return "", errors.New("goes through more than 40 links")
		}
		if filepath.IsAbs(n.link) {
			at = "/"
		}
		rest = append(siteSplit(n.link), rest...)
	}
	return at, nil
}

func siteSplit(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (o siteOwnership) safe(dir string) error {
	n, err := o.look(dir)
	if err != nil {
		return err
	}
	return n.safe(dir, true)
}

// safe refuses what somebody besides root may write.
func (n siteNode) safe(path string, above bool) error {
	open := n.mode.Perm()&0o022 != 0
	switch {
	case n.uid == 0 && !open:
		return nil
	case above && open:
		return siteOwnerError(fmt.Sprintf("lies below %s, which others than root may write (mode %04o); move it to where only root writes, as %s",
			path, n.mode.Perm(), sitePath))
	case above:
		return siteOwnerError(fmt.Sprintf("lies below %s, which belongs to user %d; move it to where only root writes, as %s", path, n.uid, sitePath))
	case open:
		return siteOwnerError(fmt.Sprintf("may be written by others than root (mode %04o), and root does what it says; close it: chmod go-w %s",
			n.mode.Perm(), path))
	}
	return siteOwnerError(fmt.Sprintf("belongs to user %d, and root does what it says; make it root's: chown root: %s", n.uid, path))
}

// siteOwnerError is a site file that somebody besides root could have written.
type siteOwnerError string

func (e siteOwnerError) Error() string { return string(e) }
