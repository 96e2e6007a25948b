package host

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

// names maps numbers to names by a file of the form of passwd(5) and group(5).
// It is read again when the file changes, and without cgo: users of other
// databases than the file have numbers only.
type names struct {
	path string

	mu    sync.Mutex
	mtime time.Time
	size  int64
	byID  map[uint32]string
}

// name returns the name of id, or the number itself where there is none.
func (n *names) name(id uint32) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	info, err := os.Stat(n.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.byID, n.mtime, n.size = nil, time.Time{}, 0
	case err != nil:
		return "", err
	case n.byID == nil || !info.ModTime().Equal(n.mtime) || info.Size() != n.size:
		data, _, err := read(n.path, 0)
		if err != nil {
			return "", err
		}
		n.byID, n.mtime, n.size = parseNames(data), info.ModTime(), info.Size()
	}
	if name, ok := n.byID[id]; ok {
		return name, nil
	}
	return strconv.FormatUint(uint64(id), 10), nil
}

// parseNames reads name:x:number lines; the first name of a number counts, as
// for getpwuid(3).
func parseNames(data []byte) map[uint32]string {
	byID := map[uint32]string{}
	for line := range bytes.Lines(data) {
		fields := bytes.SplitN(line, []byte(":"), 4)
		if len(fields) < 3 || len(fields[0]) == 0 || fields[0][0] == '#' {
			continue
		}
		id, err := strconv.ParseUint(string(bytes.TrimSpace(fields[2])), 10, 32)
		if err != nil {
			continue
		}
		if _, ok := byID[uint32(id)]; !ok {
			byID[uint32(id)] = string(fields[0])
		}
	}
	return byID
}
