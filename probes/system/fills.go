package system

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

const (
	// counting is how long what fills a file system is counted: a part of it is
	// better than nothing.
	counting = 2 * time.Second
	// heaps is how many directories are told of.
	heaps = 4
)

// fills tells which directories fill the file system that name is on; nothing when
// that can't be counted.
func fills(ctx context.Context, h *host.Host, name string) *probes.Evidence {
	mount, err := h.MountPoint(name)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, counting)
	defer cancel()
	// Its output counts with an error too: it may not look everywhere, or not
	// have come to its end.
	out, err := h.Exec.Run(ctx, "du", "-x", "-k", "-d", "3", mount)
	var words []string
	for _, d := range largest(string(out)) {
		words = append(words, fmt.Sprintf("%s %s", d.name, size(d.kib<<10)))
	}
	if len(words) == 0 {
		return nil
	}
	if err != nil {
		words = append(words, "as far as it could be counted")
	}
	return &probes.Evidence{
		Source: "directories on " + mount, Want: "room", Got: probes.Clip(strings.Join(words, ", ")),
		Command: "du -xh -d 3 " + mount + " | sort -h | tail -n 20",
	}
}

// A heap is what is in a directory and in none of its own that are counted too.
type heap struct {
	name string
	kib  uint64
}

// largest reads du's output, KiB and name in each line, into the largest heaps:
// they have nothing in common, so that their sizes add up.
func largest(du string) []heap {
	total := map[string]uint64{}
	for line := range strings.Lines(du) {
		n, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if kib, err := strconv.ParseUint(n, 10, 64); ok && err == nil {
			total[name] = kib
		}
	}
	own := maps.Clone(total)
	for name, kib := range total {
		if above := path.Dir(name); above != name && total[above] > 0 {
			own[above] -= min(own[above], kib)
		}
	}
	var out []heap
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if own[name] >= 1<<10 {
			out = append(out, heap{name, own[name]})
		}
	}
	slices.SortStableFunc(out, func(a, b heap) int { return cmp.Compare(b.kib, a.kib) })
	return out[:min(len(out), heaps)]
}
