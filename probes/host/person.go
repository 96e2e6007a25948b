package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// editors are programs that a person changes a file with; what is started by
// "systemctl edit" or sudoedit is one of them.
var editors = []string{
	"vi", "vim", "vim.basic", "vim.tiny", "nvim", "view", "nano", "emacs", "emacs-nox", "micro", "mcedit", "joe", "ne", "ed", "hx", "kak",
	"sudoedit", "visudo", "systemctl",
}

// unitVerbs are what a person does to a unit with systemctl; to look at it is no
// work on it.
var unitVerbs = []string{"edit", "start", "stop", "restart", "reload", "mask", "unmask", "revert"}

// PersonAtWork names the person's program that is at work on one of the files or
// units: an editor that has a terminal and was given the file, or systemctl
// with a verb that changes the unit. Nothing when there is none, or nothing can
// be seen.
func PersonAtWork(files, units []string) string {
	pids, err := processes()
	if err != nil {
		return ""
	}
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid)
		argv, tty := commandLine(dir)
		if !tty || len(argv) == 0 {
			continue
		}
		cwd, _ := os.Readlink(dir + "/cwd")
		if what := workOn(argv, cwd, files, units); what != "" {
			return fmt.Sprintf("a person is at work on %s (%s, process %d)", what, filepath.Base(argv[0]), pid)
		}
	}
	return swapFile(files)
}

// workOn returns which of the files or units a command works on.
func workOn(argv []string, cwd string, files, units []string) string {
	program := filepath.Base(argv[0])
	if !slices.Contains(editors, program) {
		return ""
	}
	for _, arg := range argv[1:] {
		if program == "systemctl" {
			if slices.Contains(unitVerbs, argv[1]) && (slices.Contains(units, arg) || slices.Contains(units, arg+".service")) {
				return arg
			}
			continue
		}
		path := arg
		if !filepath.IsAbs(path) {
			path = filepath.Join(cwd, path)
		}
		if slices.Contains(files, filepath.Clean(path)) {
			return path
		}
	}
	return ""
}

// swapFile says whose swap file lies beside one of the files. Vim's names its
// process in bytes 24 to 28, so that one left by a crash is told apart.
func swapFile(files []string) string {
	for _, f := range files {
		name := filepath.Join(filepath.Dir(f), "."+filepath.Base(f)+".swp")
		data, err := os.ReadFile(name)
		if err != nil || len(data) < 28 || !bytes.HasPrefix(data, []byte("b0VIM")) {
			continue
		}
		pid := int(data[24]) | int(data[25])<<8 | int(data[26])<<16 | int(data[27])<<24
		if _, alive := processStart(pid); alive {
			return fmt.Sprintf("a person is at work on %s (vim, process %d)", f, pid)
		}
	}
	return ""
}

// commandLine returns a process's arguments, and whether it has a terminal.
func commandLine(dir string) (argv []string, tty bool) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, false
	}
	const ttyNumber = 7 - 3 // counted as in processStart
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= ttyNumber || string(fields[ttyNumber]) == "0" {
		return nil, false
	}
	data, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return nil, false
	}
	return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00"), true
}
