package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is one line of /proc/self/mountinfo.
type mount struct{ point, kind, options string }

func parseMounts(mountinfo string) []mount {
	var list []mount
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if ok && len(l) > 4 && len(r) > 2 {
			list = append(list, mount{point: unescape(l[4]), kind: r[0], options: unescape(r[2])})
		}
	}
	return list
}

// unescape undoes the octal that the kernel writes for blanks and backslashes.
func unescape(s string) string {
	for _, c := range []string{" ", "\t", "\n", "\\"} {
		s = strings.ReplaceAll(s, fmt.Sprintf("\\%03o", c[0]), c)
	}
	return s
}

func mounts() ([]mount, error) {
	// Of this thread: another one may be wedged in a namespace of its own.
	data, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return parseMounts(string(data)), nil
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// ourMounts are the mounts of a lab, the innermost first.
func (l *Lab) ourMounts() ([]string, error) {
	list, err := mounts()
	if err != nil {
		return nil, err
	}
	var points []string
	for _, m := range slices.Backward(list) {
		if below(m.point, l.state()) || below(m.point, l.cached("rootfs", "build-"+l.name)) {
			points = append(points, m.point)
		}
	}
	return points, nil
}

// controlGroupRoots are where systemd in a host keeps its services: the
// hierarchy named systemd, the unified one, or both.
func controlGroupRoots(list []mount) []string {
	var roots []string
	for _, m := range list {
		if m.kind == "cgroup2" || m.kind == "cgroup" && slices.Contains(strings.Split(m.options, ","), "name=systemd") {
			roots = append(roots, m.point)
		}
	}
	return roots
}

func (l *Lab) groupName() string { return "watchdog-lab." + l.name }

// controlGroups are the directories of a host's control groups; of the whole lab
// when no host is named.
func (l *Lab) controlGroups(host string) []string {
	list, _ := mounts()
	var dirs []string
	for _, root := range controlGroupRoots(list) {
		dirs = append(dirs, filepath.Join(root, l.groupName(), host))
	}
	return dirs
}

// killGroup kills every process in control groups and below them.
func killGroup(dirs []string) {
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() != "cgroup.procs" {
				return nil // it may be going while we look
			}
			data, _ := os.ReadFile(path)
			for text := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(text); err == nil && pid > 1 {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
			return nil
		})
	}
}

// process is one that belongs to a lab.
type process struct {
	pid  int
	name string
}

// traces are what a process of a lab is known by.
type traces struct {
	environment string          // entry of its environment
	group       string          // directory in its control group's path
	namespaces  map[string]bool // network namespaces, as /proc/PID/ns/net names them
}

func (l *Lab) traces() traces {
	t := traces{environment: marker + "=" + l.name, group: l.groupName(), namespaces: map[string]bool{}}
	for _, name := range l.namespaces() {
		var st unix.Stat_t
		// A file that no namespace is mounted on any more has an inode of no meaning.
		var fs unix.Statfs_t
		path := filepath.Join(netnsDir, name)
		if unix.Stat(path, &st) == nil && unix.Statfs(path, &fs) == nil && fs.Type == unix.NSFS_MAGIC {
			t.namespaces[fmt.Sprintf("net:[%d]", st.Ino)] = true
		}
	}
	return t
}

// match looks at what /proc says of one process.
func (t traces) match(environ, cgroup, netns string) bool {
	return slices.Contains(strings.Split(environ, "\x00"), t.environment) ||
		t.namespaces[netns] ||
		slices.ContainsFunc(strings.Split(cgroup, "\n"), func(line string) bool {
			return slices.Contains(strings.Split(line, "/"), t.group)
		})
}

// ourProcesses are the processes of a lab, without this one and its ancestors: a
// shell may have been given the marker by hand.
func (l *Lab) ourProcesses() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	t, family := l.traces(), ancestors(os.Getpid())
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || slices.Contains(family, pid) {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		netns, _ := os.Readlink(filepath.Join(dir, "ns/net"))
		if !t.match(string(environ), string(cgroup), netns) {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		if name, state, _ := parseStat(string(stat)); state != "" && state != "Z" && state != "X" {
			found = append(found, process{pid, name})
		}
	}
	return found, nil
}

// parseStat reads name, state and parent from /proc/PID/stat; the name may hold
// blanks and brackets.
func parseStat(stat string) (name, state string, parent int) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", "", 0
	}
	rest := strings.Fields(stat[end+1:])
	if len(rest) < 2 {
		return "", "", 0
	}
	parent, _ = strconv.Atoi(rest[1])
	return stat[open+1 : end], rest[0], parent
}

func ancestors(pid int) []int {
	list := []int{pid}
	for pid > 1 && len(list) < 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		_, _, pid = parseStat(string(stat))
		list = append(list, pid)
	}
	return list
}

// marked tells whether a process carries this lab's marker.
func (l *Lab) marked(pid int) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+marker+"="+l.name+"\x00"))
}

// ourFiles are the files and directories outside the cache, and the unfinished
// ones within it.
func (l *Lab) ourFiles() []string {
	paths := []string{
		l.cached("rootfs", "build-"+l.name), l.cached("rootfs", "copy-"+l.name),
		l.cached("layers", "part-"+l.name), l.cached("bin", "build-"+l.name), l.state(),
	}
	for _, name := range l.namespaces() {
		paths = append(paths, filepath.Join("/etc/netns", name),
			filepath.Join("/run/systemd/nspawn/propagate", name), filepath.Join("/run/systemd/nspawn/unix-export", name))
	}
	return slices.DeleteFunc(paths, func(p string) bool {
		_, err := os.Lstat(p)
		return errors.Is(err, os.ErrNotExist)
	})
}

// Leftovers lists what there is of a lab that Down should have removed: its
// processes, mounts, namespaces, control groups and files.
func (l *Lab) Leftovers() ([]string, error) {
	var list []string
	procs, err := l.ourProcesses()
	for _, p := range procs {
		list = append(list, fmt.Sprintf("process %d (%s)", p.pid, p.name))
	}
	points, e := l.ourMounts()
	for _, m := range points {
		list = append(list, "mount "+m)
	}
	for _, name := range l.namespaces() {
		if _, err := os.Lstat(filepath.Join(netnsDir, name)); err == nil {
			list = append(list, "namespace "+name)
		}
	}
	for _, dir := range l.controlGroups("") {
		if _, err := os.Lstat(dir); err == nil {
			list = append(list, "control group "+dir)
		}
	}
	for _, f := range l.ourFiles() {
		list = append(list, "file "+f)
	}
	return list, errors.Join(err, e)
}
