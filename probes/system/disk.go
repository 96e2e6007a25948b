package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// DiskFull says that a file system has next to no room, or no inodes, left.
const DiskFull probes.Code = "host.disk-full"

// Disk is the probe host.disk. When a file system is full ([host.Usage.Full]) it
// looks at what fills it, and for what may go.
type Disk struct {
	// Paths are what needs room, besides the database's own directory. File
	// systems that several of them share are told of once.
	Paths []string
	// Backups is the directory of the program's own, of which those older than
	// Keep may go.
	Backups string
	Keep    time.Duration
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
	paths := append([]string{}, p.Paths...)
	if data := h.Facts.Layout.PostgresData; data != "" {
		paths = append([]string{data}, paths...)
	}
	if p.Backups != "" {
		paths = append(paths, p.Backups)
	}
	var found []probes.Finding
	at := map[host.Usage]int{} // by what does not change while it is looked at
	for _, name := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		there, u, err := usage(h, name)
		if err != nil {
			return nil, fmt.Errorf("measure the file system of %s: %w", name, err)
		}
		e := full(name, u)
		if e == nil {
			continue
		}
		if i, ok := at[which(u)]; ok {
			found[i].Evidence = append(found[i].Evidence, *e)
			continue
		}
		at[which(u)] = len(found)
		f := probes.Finding{
			Code: DiskFull, Subject: name, Summary: "the file system of " + name + " is full", Evidence: []probes.Evidence{*e},
			Awaits: "a person makes room: nothing on it is watchdog's to delete",
		}
		if e := p.spent(h, u); e != nil {
			f.Awaits, f.Evidence = "", append(f.Evidence, *e)
		}
		if e := fills(ctx, h, there); e != nil {
			f.Evidence = append(f.Evidence, *e)
		}
		found = append(found, f)
	}
	return found, ctx.Err()
}

// spent tells of the backups on the file system of that usage that may go.
func (p Disk) spent(h *host.Host, u host.Usage) *probes.Evidence {
	there, of, err := usage(h, p.Backups)
	if p.Backups == "" || err != nil || there != p.Backups || which(of) != which(u) {
		return nil
	}
	spent, err := h.SpentBackups(p.Backups, p.Keep)
	if err != nil || len(spent) == 0 { // they are root's: others may not see them
		return nil
	}
	return &probes.Evidence{
		Source: p.Backups, Want: fmt.Sprintf("no unfinished backup, and none older than %d days", int(p.Keep.Hours()/24)),
		Got: probes.Clip(fmt.Sprintf("%d that may go: %s", len(spent), bases(spent))), Command: "watchdog backup list",
	}
}

func bases(paths []string) string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = path.Base(p)
	}
	return strings.Join(names, ", ")
}

// usage measures the file system that name is on, or will be, and returns what of
// name is there already.
func usage(h *host.Host, name string) (there string, u host.Usage, err error) {
	for {
		u, err := h.FS.Usage(name)
		if !errors.Is(err, fs.ErrNotExist) || name == "/" {
			return name, u, err
		}
		name = path.Dir(name)
	}
}

// which reduces a usage to what tells its file system from others.
func which(u host.Usage) host.Usage {
	return host.Usage{Device: u.Device, Size: u.Size, Files: u.Files}
}

func full(name string, u host.Usage) *probes.Evidence {
	bytes, inodes := u.Full()
	var want, got []string
	if bytes {
		want = append(want, fmt.Sprintf("%d %% or %s free", host.FullPercent, size(host.FullBytes)))
		got = append(got, fmt.Sprintf("%s of %s free", size(u.Free), size(u.Size)))
	}
	if inodes {
		want = append(want, fmt.Sprintf("%d %% of inodes free", host.FullInodes))
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
