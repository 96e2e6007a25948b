package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// DiskFull says that a file system has next to no room, or no inodes, left.
const DiskFull probes.Code = "host.disk-full"

// Disk is the probe host.disk.
type Disk struct {
	// Paths are what needs room, besides the database's own directory. File
	// systems that several of them share are told of once.
	Paths []string
	// A file system is full with less than Percent of its bytes and less than
	// Bytes free, or with less than Inodes percent of its inodes: on a large
	// one a small share is plenty. Zero means 5, 1 GiB and 2.
	Percent, Inodes int
	Bytes           uint64
}

// Spec implements [probes.Probe].
func (p Disk) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.disk",
		Summary: "room for the database, the logs, the backups and watchdog's own state",
		Codes:   []probes.Code{DiskFull},
		Every:   slow,
		Timeout: timeout,
	}
}

// Observe implements [probes.Probe].
func (p Disk) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	paths := p.Paths
	if data := h.Facts.Layout.PostgresData; data != "" {
		paths = append([]string{data}, paths...)
	}
	var found []probes.Finding
	// Full file systems of the same size in bytes and inodes count as one.
	at := map[[2]uint64]int{}
	for _, name := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		u, err := usage(h, name)
		if err != nil {
			return nil, fmt.Errorf("measure the file system of %s: %w", name, err)
		}
		e := p.full(name, u)
		if e == nil {
			continue
		}
		size := [2]uint64{u.Size, u.Files}
		if i, ok := at[size]; ok {
			found[i].Evidence = append(found[i].Evidence, *e)
			continue
		}
		at[size] = len(found)
		found = append(found, probes.Finding{
			Code: DiskFull, Subject: name, Summary: "the file system of " + name + " is full", Evidence: []probes.Evidence{*e},
		})
	}
	return found, nil
}

// usage measures the file system that name is on, or will be.
func usage(h *host.Host, name string) (host.Usage, error) {
	for {
		u, err := h.FS.Usage(name)
		if !errors.Is(err, fs.ErrNotExist) || name == "/" {
			return u, err
		}
		name = path.Dir(name)
	}
}

func (p Disk) full(name string, u host.Usage) *probes.Evidence {
	percent, inodes, bytes := uint64(5), uint64(2), uint64(1<<30)
	if p.Percent > 0 {
		percent = uint64(p.Percent)
	}
	if p.Inodes > 0 {
		inodes = uint64(p.Inodes)
	}
	if p.Bytes > 0 {
		bytes = p.Bytes
	}
	var want, got []string
	if u.Free < u.Size/100*percent && u.Free < bytes {
		want = append(want, fmt.Sprintf("%d %% or %s free", percent, size(bytes)))
		got = append(got, fmt.Sprintf("%s of %s free", size(u.Free), size(u.Size)))
	}
	// File systems that make inodes as they go (btrfs) count none.
	if u.Files > 0 && u.Spare < u.Files/100*inodes {
		want = append(want, fmt.Sprintf("%d %% of inodes free", inodes))
		got = append(got, fmt.Sprintf("%d of %d inodes free", u.Spare, u.Files))
	}
	if len(want) == 0 {
		return nil
	}
	return &probes.Evidence{Source: name, Want: strings.Join(want, "; "), Got: strings.Join(got, "; "), Command: "df -h " + name + "; df -i " + name}
}

// size writes bytes for people.
func size(n uint64) string {
	const mib = 1 << 20
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", n/mib)
	}
	return fmt.Sprintf("%d GiB", n>>30)
}
