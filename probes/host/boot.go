package host

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticks is the kernel's USER_HZ: what /proc counts a process's start in. It is
// 100 on every architecture of Linux that Go knows.
const ticks = 100

// Booted is when the host came up: when its first process began, which is right
// in a container too. Zero when it can't be told.
func Booted() time.Time { return booted(newFiles()) }

func booted(fsys FS) time.Time {
	first, err := fsys.ReadFile(statFile(1))
	if err != nil {
		return time.Time{}
	}
	_, start, ok := parseStat(first)
	if !ok {
		return time.Time{}
	}
	stat, err := fsys.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(stat)) {
		if s, ok := strings.CutPrefix(line, "btime "); ok {
			btime, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			if err != nil {
				return time.Time{}
			}
			return time.Unix(btime, 0).Add(time.Duration(start) * time.Second / ticks)
		}
	}
	return time.Time{}
}

// processStart is when a process began, in ticks since the kernel did. With the
// process's number it names that process for ever.
func processStart(pid int) (uint64, bool) {
	data, err := os.ReadFile(statFile(pid))
	if err != nil {
		return 0, false
	}
	_, start, ok := parseStat(data)
	return start, ok
}

func statFile(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/stat" }

// parseStat reads a process's state and start of /proc/PID/stat.
func parseStat(data []byte) (state string, start uint64, ok bool) {
	// The second field is the program's name, which may hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const starttime = 22 - 3 // fields are counted from one, two are cut off
	if len(fields) <= starttime {
		return "", 0, false
	}
	start, err := strconv.ParseUint(string(fields[starttime]), 10, 64)
	return string(fields[0]), start, err == nil
}
