package host

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// owners finds the processes behind sockets. Walking through every descriptor
// of every process is what costs, so it remembers who held what and only checks
// that they still do.
type owners struct {
	mu   sync.Mutex
	seen map[uint32]holder // by inode
}

// A holder is a process that has a socket open as one of its descriptors.
type holder struct {
	pid     int
	fd      string // path of the descriptor below /proc
	program string
}

// of returns the holders of sockets by inode. One that nobody is seen to hold
// (a kernel's own, another user's without root) is left out. Of several
// processes the first, which is the parent, counts.
func (o *owners) of(ctx context.Context, sockets []socket) (map[uint32]holder, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, missing := map[uint32]holder{}, map[string]uint32{}
	for _, s := range sockets {
		link := fmt.Sprintf("socket:[%d]", s.inode)
		h, ok := o.seen[s.inode]
		if target, err := os.Readlink(h.fd); ok && err == nil && target == link {
			h.program = program(h.pid)
			found[s.inode] = h
		} else if s.inode != 0 {
			missing[link] = s.inode
		}
	}
	if len(missing) > 0 {
		if err := scan(ctx, missing, found); err != nil {
			return nil, err
		}
	}
	o.seen = found
	return found, nil
}

// scan walks through /proc until all that is missing is found.
func scan(ctx context.Context, missing map[string]uint32, found map[uint32]holder) error {
	pids, err := processes("/proc")
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		// A process that is gone, or not for our eyes, holds nothing we see.
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			fd := dir + "/" + e.Name()
			link, err := os.Readlink(fd)
			if err != nil {
				continue
			}
			if inode, ok := missing[link]; ok {
				found[inode] = holder{pid, fd, program(pid)}
				if delete(missing, link); len(missing) == 0 {
					return nil
				}
			}
		}
	}
	return nil
}

// processes lists the process IDs below proc in ascending order.
func processes(proc string) ([]int, error) {
	dir, err := os.Open(proc)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// program is the name of a process, at most 15 bytes; empty when it is gone.
func program(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}
