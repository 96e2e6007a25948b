package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Down ends the lab and removes every trace of it outside the cache, also of one
// that was killed half-way; with purge, the cache too. Twice is no error.
func (l *Lab) Down(ctx context.Context, purge bool) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	removed, err := l.clean(ctx)
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		l.say.line("lab %s: nothing was there to remove", l.name)
	} else {
		l.say.line("lab %s is down; removed %s", l.name, summary(removed))
	}
	if !purge {
		return nil
	}
	return l.purge()
}

// purge removes the cache unless another lab stands on it.
func (l *Lab) purge() error {
	list, err := mounts()
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.kind == "overlay" && strings.Contains(m.options, "="+l.cache+"/") || below(m.point, l.cache) {
			return &Refusal{fmt.Sprintf("take the other lab down first: %s uses the cache %s", m.point, l.cache)}
		}
	}
	if err := os.RemoveAll(l.cache); err != nil {
		return fmt.Errorf("remove cache: %w", err)
	}
	l.say.line("removed the cache %s", l.cache)
	return nil
}

// clean removes what Leftovers lists, in order: processes, mounts, namespaces,
// control groups, files. It tells what was there.
func (l *Lab) clean(ctx context.Context) (removed []string, err error) {
	removed, err = l.Leftovers()
	if err != nil || len(removed) == 0 {
		return nil, err
	}
	l.stopServer(ctx)
	// What is being started while we look is there at the next look.
	err = until(ctx, 20*time.Millisecond, func() (bool, error) {
		procs, err := l.ourProcesses()
		for _, p := range procs {
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
		return len(procs) == 0, err
	})
	if err != nil {
		return removed, fmt.Errorf("end the lab's processes: %w", err)
	}
	if err := l.unmountAll(); err != nil {
		return removed, err
	}
	err = removeNamespaces(l.namespaces())
	for _, dir := range l.controlGroups("") {
		err = errors.Join(err, removeGroup(ctx, dir))
	}
	for _, f := range l.ourFiles() {
		err = errors.Join(err, os.RemoveAll(f))
	}
	// Directories that nothing else is in; they may not be ours, so only when empty.
	for _, dir := range []string{stateBase, "/etc/netns", "/run/systemd/nspawn/propagate", "/run/systemd/nspawn/unix-export",
		"/run/systemd/nspawn", "/run/mount"} {
		_ = os.Remove(dir)
	}
	if err != nil {
		return removed, fmt.Errorf("clean up lab %s: %w", l.name, err)
	}
	left, err := l.Leftovers()
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("clean up lab %s: still there: %s", l.name, strings.Join(left, ", "))
	}
	return removed, err
}

// stopServer lets the background process power the hosts off.
func (l *Lab) stopServer(ctx context.Context) {
	pid, err := l.serverPID()
	if err != nil || !l.marked(pid) {
		return
	}
	if syscall.Kill(pid, syscall.SIGTERM) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
	defer cancel()
	_ = until(ctx, 20*time.Millisecond, func() (bool, error) { return !l.marked(pid), nil })
}

func (l *Lab) unmountAll() error {
	points, err := l.ourMounts()
	if err != nil {
		return err
	}
	for _, p := range points {
		if err := unix.Unmount(p, 0); err != nil {
			if err := unix.Unmount(p, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", p, err)
			}
		}
	}
	// Nothing may be removed through a mount that is still there.
	if points, err = l.ourMounts(); err == nil && len(points) > 0 {
		err = fmt.Errorf("unmount %s: still mounted", strings.Join(points, ", "))
	}
	return err
}

// removeGroup removes a control group and those below it. The kernel lets go of a
// group a moment after its last process.
func removeGroup(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var last error
	err := until(ctx, 20*time.Millisecond, func() (bool, error) {
		var dirs []string
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		last = nil
		for _, d := range slices.Backward(dirs) {
			if err := os.Remove(d); err != nil && !errors.Is(err, os.ErrNotExist) {
				last = err
			}
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("remove control group: %w", last)
	}
	return nil
}

// summary groups what was removed: the processes of two hosts are a long list.
func summary(removed []string) string {
	counts := map[string]int{}
	var processes, rest []string
	for _, r := range removed {
		_, name, ok := strings.Cut(r, " (")
		if !ok || !strings.HasPrefix(r, "process ") {
			rest = append(rest, r)
			continue
		}
		name = strings.TrimSuffix(name, ")")
		if counts[name] == 0 {
			processes = append(processes, name)
		}
		counts[name]++
	}
	for i, name := range processes {
		if counts[name] > 1 {
			processes[i] = fmt.Sprintf("%s ×%d", name, counts[name])
		}
	}
	if len(processes) > 0 {
		rest = append([]string{"processes: " + strings.Join(processes, ", ")}, rest...)
	}
	return "\n    " + strings.Join(rest, "\n    ")
}
