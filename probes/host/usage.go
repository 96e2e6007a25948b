package host

import "path"

// Usage of a file system, in bytes and inodes.
type Usage struct {
	Device       uint64 // tells file systems apart
	Size, Free   uint64 // bytes; Free is what an unprivileged process may use
	RootFree     uint64 // bytes that root may use: Free and what is kept for it
	Files, Spare uint64 // inodes in all, and unused
	// ReadOnly says that nothing can be written there, not by root either: it
	// is mounted so, or what was asked about is marked immutable.
	ReadOnly bool
}

// A file system is full with less than FullPercent of its bytes and less than
// FullBytes free, or with less than FullInodes percent of its inodes: on a large
// one a small share is plenty.
const (
	FullPercent = 5
	FullBytes   = 1 << 30
	FullInodes  = 2
)

// Full reports whether next to no room, or no inodes, are left, for those who
// look and those who clear away. File systems that make inodes as they go
// (btrfs) count none.
func (u Usage) Full() (bytes, inodes bool) {
	return u.Free < u.Size/100*FullPercent && u.Free < FullBytes, u.Files > 0 && u.Spare < u.Files/100*FullInodes
}

// MountPoint returns the highest directory above name, or name itself, that is on
// the same file system.
func (h *Host) MountPoint(name string) (string, error) {
	u, err := h.FS.Usage(name)
	if err != nil {
		return "", err
	}
	for name != "/" {
		above, err := h.FS.Usage(path.Dir(name))
		if err != nil {
			return "", err
		}
		if above.Device != u.Device {
			break
		}
		name = path.Dir(name)
	}
	return name, nil
}
