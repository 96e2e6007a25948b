package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// sweepEvery is how often watched directories are held against what has their
// names: that something was mounted over one, no event tells.
const sweepEvery = 30 * time.Second

// A fileSource tells of changes of files: of their contents, owners and modes,
// of their coming and going, and of the directories on the way to them. A name
// that is a directory changes with whatever is in it.
type fileSource struct{ sweep time.Duration }

// listen is a [Source].
func (s fileSource) listen(ctx context.Context, names []string, fire func(string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return watchError("files", err)
	}
	defer w.Close()
	t := watchTree{w: w, names: names, dirs: map[string]fs.FileInfo{}}
	if err := t.grow(); err != nil {
		return err
	}
	for _, n := range names {
		fire(n)
	}
	sweep := time.NewTicker(s.sweep)
	defer sweep.Stop()
	for {
		var changed []string
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sweep.C:
			changed, err = t.swept()
		case e := <-w.Events:
			changed, err = t.happened(e)
		case err = <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return watchError("files", err)
			}
			// Whatever was not told, it may have befallen any of them.
			t.forget("/")
			changed, err = names, t.grow()
		}
		if err != nil {
			return err
		}
		for _, n := range changed {
			fire(n)
		}
	}
}

// A watchTree holds watches on every directory on the way to the names, from the
// root down: files are replaced and certbot swaps links, so that watching the
// files themselves would tell little, and a directory does not hear that one
// above it was renamed.
type watchTree struct {
	w     *fsnotify.Watcher
	names []string
	dirs  map[string]fs.FileInfo // watched directories, as they were before
}

// grow watches what is on the way to the names and is not watched yet. What is
// not there will be seen coming by the one above it.
func (t *watchTree) grow() error {
	for _, n := range t.names {
		for _, dir := range way(n) {
			there, err := t.add(dir)
			if err != nil {
				return err
			}
			if !there {
				break
			}
		}
	}
	return nil
}

// way lists the directories on the way to name, from the root down, and name
// itself, which may be one.
func way(name string) []string {
	dirs := []string{"/"}
	for i := 1; i < len(name); i++ {
		if name[i] == '/' {
			dirs = append(dirs, name[:i])
		}
	}
	return append(dirs, name)
}

// add watches dir, and reports whether it is a directory. It is looked at
// before: if it is replaced in between, the event of that, or the next sweep,
// finds another one than it had been.
func (t *watchTree) add(dir string) (bool, error) {
	if t.dirs[dir] != nil {
		return true, nil
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return false, nil
	}
	if err == nil {
		err = t.w.Add(dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return false, nil
	case err != nil:
		return false, watchError(dir, err)
	}
	t.dirs[dir] = info
	return true, nil
}

// forget ends the watches of dir and of what is below it.
func (t *watchTree) forget(dir string) {
	for d := range t.dirs {
		if within(d, dir) {
			_ = t.w.Remove(d) // of what is deleted there is none any more
			delete(t.dirs, d)
		}
	}
}

// happened returns the names that an event concerns. A change of a directory on
// the way to a file is one of the file's: its owner and mode decide who can read
// it, and if it is another one than it was, so may be all below it.
func (t *watchTree) happened(e fsnotify.Event) ([]string, error) {
	var changed []string
	for _, n := range t.names {
		if within(n, e.Name) || t.dirs[n] != nil && filepath.Dir(e.Name) == n {
			changed = append(changed, n)
		}
	}
	if len(changed) > 0 && e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		t.forget(e.Name)
		return changed, t.grow()
	}
	return changed, nil
}

// swept returns the names below directories that are no longer the ones being
// watched, and watches those that have their names now.
func (t *watchTree) swept() ([]string, error) {
	var changed []string
	for dir, was := range t.dirs {
		now, err := os.Stat(dir)
		if err == nil && os.SameFile(was, now) {
			continue
		}
		t.forget(dir)
		for _, n := range t.names {
			if within(n, dir) {
				changed = append(changed, n)
			}
		}
	}
	return changed, t.grow()
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// watchError says which limit it was, if it was one of inotify's: all programs
// of one user share them.
func watchError(what string, err error) error {
	const advice = "raise it with sysctl and in /etc/sysctl.d"
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("watch %s: root's inotify watches are used up: %s; %s: %w", what, limit("max_user_watches"), advice, err)
	case errors.Is(err, unix.EMFILE) && descriptorsLeft():
		return fmt.Errorf("watch %s: root's inotify instances are used up: %s; %s: %w", what, limit("max_user_instances"), advice, err)
	}
	return fmt.Errorf("watch %s: %w", what, err)
}

// limit is one of inotify's limits with its present value.
func limit(name string) string {
	data, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
	if err != nil {
		return "fs.inotify." + name
	}
	return fmt.Sprintf("fs.inotify.%s is %s", name, strings.TrimSpace(string(data)))
}

// descriptorsLeft tells the two limits apart that have the same error.
func descriptorsLeft() bool {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
