package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// editors are programs that a person changes a file with.
var editors = []string{
	"vi", "vim", "vim.basic", "vim.tiny", "vim.nox", "rvim", "view", "vimdiff", "ex", "nvi", "nvim", "nano", "rnano", "pico",
	"emacs", "emacs-nox", "emacsclient", "mg", "zile", "jed", "micro", "mcedit", "joe", "jmacs", "ne", "ed", "hx", "kak",
	"sudoedit", "visudo",
}

// unitVerbs are what a person does to a unit with systemctl; to look at it is no
// work on it.
var unitVerbs = []string{
	"edit", "start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart", "mask", "unmask", "revert",
}

// PersonAtWork names the person's program that is at work on one of the files or
// units: an editor that has a terminal and was given the file or holds its lock,
// or systemctl with a verb that changes the unit. Nothing when there is none, or
// nothing can be seen.
func PersonAtWork(files, units []string) string { return personAtWork("/proc", files, units) }

// personAtWork takes the processes from below proc.
func personAtWork(proc string, files, units []string) string {
	pids, err := processes(proc)
	if err != nil {
		return ""
	}
	for _, pid := range pids {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if !hasTerminal(dir) {
			continue
		}
		argv := commandLine(dir)
		if len(argv) == 0 {
			continue
		}
		cwd, _ := os.Readlink(dir + "/cwd") // without it relative names match nothing
		if what := workOn(argv, cwd, files, units); what != "" {
			return atWorkOn(what, argv, pid)
		}
	}
	for _, f := range files {
		for _, pid := range lockers(f) {
			// One that a crash left behind names a process that is gone, or is
			// another by now.
			if argv := commandLine(filepath.Join(proc, strconv.Itoa(pid))); len(argv) > 0 && isEditor(argv) {
				return atWorkOn(f, argv, pid)
			}
		}
	}
	return ""
}

func atWorkOn(what string, argv []string, pid int) string {
	return fmt.Sprintf("a person is at work on %s (%s, process %d)", what, filepath.Base(argv[0]), pid)
}

// workOn returns which of the files or units a command works on.
func workOn(argv []string, cwd string, files, units []string) string {
	args := argv[1:]
	if filepath.Base(argv[0]) == "systemctl" {
		verb := slices.IndexFunc(args, func(a string) bool { return slices.Contains(unitVerbs, a) })
		for _, arg := range args[verb+1:] {
			if verb >= 0 && slices.ContainsFunc(units, func(unit string) bool { return isUnit(arg, unit) }) {
				return arg
			}
		}
		return ""
	}
	if !isEditor(argv) {
		return ""
	}
	for _, arg := range args {
		if !filepath.IsAbs(arg) {
			arg = filepath.Join(cwd, arg)
		}
		if i := slices.IndexFunc(files, func(f string) bool { return resolved(f) == resolved(arg) }); i >= 0 {
			return files[i]
		}
	}
	return ""
}

// isUnit reports whether an argument of systemctl is the unit: by its name, by its
// name without the type, or by a pattern.
func isUnit(arg, unit string) bool {
	ok, err := path.Match(arg, unit)
	return arg+".service" == unit || ok && err == nil
}

func isEditor(argv []string) bool {
	program := filepath.Base(argv[0])
	if program == "sudo" {
		return slices.Contains(argv, "-e") || slices.Contains(argv, "--edit")
	}
	return slices.Contains(editors, program)
}

// resolved is a file's name without links in it: a person may edit it by
// another name. One that is not there yet is in its directory all the same.
func resolved(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		return filepath.Join(dir, filepath.Base(name))
	}
	return filepath.Clean(name)
}

// lockers returns the processes that the lock files beside a file name: vim's and
// nano's, which are of one form, and the dangling link that Emacs and mcedit make.
func lockers(file string) []int {
	var out []int
	dir, base := filepath.Split(resolved(file))
	for _, ext := range []string{"swp", "swo", "swn"} {
		if pid, ok := swapOwner(dir + "." + base + "." + ext); ok {
			out = append(out, pid)
		}
	}
	if who, err := os.Readlink(dir + ".#" + base); err == nil { // user@host.pid:boot
		who, _, _ = strings.Cut(who, ":")
		if pid, err := strconv.Atoi(who[strings.LastIndexByte(who, '.')+1:]); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// swapOwner reads the process of a swap file: bytes 24 to 28, least first.
func swapOwner(name string) (pid int, ok bool) {
	f, err := os.Open(name)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var head [28]byte
	if n, _ := f.Read(head[:]); n < len(head) || !bytes.HasPrefix(head[:], []byte("b0")) {
		return 0, false
	}
	return int(binary.LittleEndian.Uint32(head[24:])), true
}

// hasTerminal reports whether a process has one.
func hasTerminal(dir string) bool {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return false
	}
	const ttyNumber = 7 - 3 // counted as in parseStat
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > ttyNumber && string(fields[ttyNumber]) != "0"
}

// commandLine returns a process's arguments; none when it is gone.
func commandLine(dir string) []string {
	data, err := os.ReadFile(dir + "/cmdline")
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
}
