package engine

import (
	"cmp"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// A Histogram is a classic one: Counts[i] looks took at most Bounds[i] seconds
// (cumulative), Count in all, Sum seconds.
type Histogram struct {
	Bounds []float64 `json:"bounds"`
	Counts []uint64  `json:"counts"`
	Count  uint64    `json:"count"`
	Sum    float64   `json:"sum"`
}

func newHistogram(bounds ...float64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds))}
}

func (h *Histogram) observe(d time.Duration) {
	s := d.Seconds()
	h.Count++
	h.Sum += s
	for i := len(h.Bounds) - 1; i >= 0 && s <= h.Bounds[i]; i-- {
		h.Counts[i]++
	}
}

func (h Histogram) copy() Histogram {
	h.Counts = slices.Clone(h.Counts)
	return h
}

type probeStats struct {
	took    Histogram
	changed time.Time
}

func newProbeStats() *probeStats {
	return &probeStats{took: newHistogram(0.05, 0.5, 2.5)}
}

func (s *probeStats) count(r probes.Result, now time.Time, changed bool) {
	s.took.observe(r.Took)
	if changed {
		s.changed = now
	}
}

// counters are what happened since the daemon started.
type counters struct {
	byKind map[AttemptCount]uint64 // key with Count zero
	heal   Histogram
}

func (c *counters) count(a rules.Attempt) {
	if c.byKind == nil {
		c.byKind = map[AttemptCount]uint64{}
		c.heal = newHistogram(1, 2, 5, 10, 20, 30, 60, 120, 300)
	}
	c.byKind[AttemptCount{Remedy: a.Remedy, Outcome: a.Outcome, Rung: a.Rung}]++
	if a.Outcome == rules.Healed {
		c.heal.observe(a.Ended.Sub(a.Seen))
	}
}

func (c *counters) attempts() []AttemptCount {
	out := make([]AttemptCount, 0, len(c.byKind))
	for k, n := range c.byKind {
		k.Count = n
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b AttemptCount) int {
		return cmp.Or(cmp.Compare(a.Remedy, b.Remedy), cmp.Compare(a.Outcome, b.Outcome), a.Rung-b.Rung)
	})
	return out
}
