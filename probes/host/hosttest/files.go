package hosttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"watchdog/probes/host"
)

// files is the machine's [host.FS].
type files struct{ m *Machine }

func (f files) Node(name string) (*host.Node, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	name, err := f.m.resolve(name, false)
	if err != nil {
		return nil, err
	}
	return clone(f.m.nodes[name]), nil
}

func (f files) ReadFile(name string) ([]byte, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	_, n, err := f.m.at(name, "open")
	switch {
	case err != nil:
		return nil, err
	case n.Mode.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	return slices.Clone(n.Data), nil
}

func (f files) ReadDir(name string) ([]string, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	real, n, err := f.m.at(name, "open")
	switch {
	case err != nil:
		return nil, err
	case !n.Mode.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.ENOTDIR}
	}
	var names []string
	for p := range f.m.nodes {
		if p != "/" && path.Dir(p) == real {
			names = append(names, path.Base(p))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f files) Size(name string) (int64, error) {
	data, err := f.ReadFile(name)
	return int64(len(data)), err
}

func (f files) SHA256(ctx context.Context, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	data, err := f.ReadFile(name)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

func (f files) Usage(name string) (host.Usage, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	real, _, err := f.m.at(name, "statfs")
	if err != nil {
		return host.Usage{}, err
	}
	best, u := "", host.Usage{Size: 100 << 30, Free: 50 << 30, RootFree: 55 << 30, Files: 1 << 20, Spare: 1 << 19}
	for p, v := range f.m.usage {
		if below(real, p) && len(p) > len(best) {
			best, u = p, v
		}
	}
	return u, nil
}

// below reports whether name is dir or something in it.
func below(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// at follows all links of name and returns where that leads and what is there,
// or op's error that nothing is.
func (m *Machine) at(name, op string) (real string, n *host.Node, err error) {
	if real, err = m.resolve(name, true); err != nil {
		return "", nil, err
	}
	if n = m.nodes[real]; n == nil {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return real, n, nil
}

// resolve follows the links on the way to name, and name itself too if last is
// set. A name that leads nowhere is returned all the same.
func (m *Machine) resolve(name string, last bool) (string, error) {
	if m.blind != nil {
		return "", &fs.PathError{Op: "open", Path: name, Err: m.blind}
	}
	for p, err := range m.unreadable {
		if below(path.Clean(name), p) {
			return "", &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	rest := strings.Split(strings.Trim(path.Clean(name), "/"), "/")
	real := "/"
	for hops := 0; len(rest) > 0; {
		next := path.Join(real, rest[0])
		rest = rest[1:]
		n := m.nodes[next]
		if n == nil || n.Mode.Type() != fs.ModeSymlink || len(rest) == 0 && !last {
			real = next
			continue
		}
		if hops++; hops > 40 {
			return "", &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
		}
		target := string(n.Data)
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
	}
	return real, nil
}
