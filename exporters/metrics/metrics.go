// Package metrics turns an engine's snapshot into Prometheus metrics. A scrape
// reads the newest snapshot and never waits for a probe.
//
// Where it stands: engine ─▶ snapshot ─▶ control socket ─▶ [metrics] ─▶ Prometheus.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"watchdog/probes"
	"watchdog/rules"
	"watchdog/rules/engine"
)

// Handler serves the metrics of the snapshots that newest gives, and those of
// the exporting process itself.
func Handler(newest func(context.Context) (engine.Snapshot, error)) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		Collector{Snapshot: newest},
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: "watchdog_export"}),
	)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
}

// A Collector collects from the newest snapshot.
type Collector struct {
	// Snapshot gives the newest one; it must be quick.
	Snapshot func(context.Context) (engine.Snapshot, error)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("watchdog_"+name, help, labels, nil)
}

// The metrics, their units in their names.
var (
	up          = desc("up", "Whether the engine answers (1) or not (0).")
	started     = desc("start_time_seconds", "When the engine started, in seconds since the epoch.")
	probeOK     = desc("probe_ok", "Whether the probe's newest look found all well (1) or something wrong (0); absent when it could not look.", "probe")
	probeBlind  = desc("probe_blind", "Whether the probe could not look (1).", "probe")
	probeAt     = desc("probe_last_look_timestamp_seconds", "When the probe last looked.", "probe")
	probeChange = desc("probe_last_change_timestamp_seconds", "When the probe's answer last changed.", "probe")
	probeTook   = desc("probe_duration_seconds", "How long the probe's looks took.", "probe")
	cause       = desc("cause_info", "A root cause that is there now, always 1.", "code", "subject", "severity", "scope", "mode", "action")
	causeSince  = desc("cause_since_timestamp_seconds", "Since when the root cause has been seen.", "code", "subject")
	symptoms    = desc("symptoms", "How many findings are explained by a root cause.")
	undecided   = desc("undecided", "How many findings wait for something that could not be seen.")
	remedies    = desc("remedy_attempts_total", "Attempts of remedies by what became of them.", "remedy", "outcome", "rung")
	healing     = desc("healing", "Whether a remedy is at work (1).")
	late        = desc("probe_late_seconds", "How far behind its time a look began.")
	heal        = desc("heal_seconds", "From the first sight of a fault to the proof that it is gone.")
)

// Describe implements [prometheus.Collector].
func (c Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{up, started, probeOK, probeBlind, probeAt, probeChange, probeTook, cause, causeSince, symptoms, undecided, remedies, healing, heal, late} {
		ch <- d
	}
}

// scrapeTime bounds asking the engine, below any scrape's own time.
const scrapeTime = 2 * time.Second

// Collect implements [prometheus.Collector].
func (c Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	s, err := c.Snapshot(ctx)
	if err != nil {
		gauge(ch, up, 0)
		return
	}
	gauge(ch, up, 1)
	gauge(ch, started, seconds(s.Started))
	for _, p := range s.Probes {
		collectProbe(ch, p)
	}
	collectFaults(ch, s.Faults)
	for _, a := range s.Attempts {
		ch <- prometheus.MustNewConstMetric(remedies, prometheus.CounterValue, float64(a.Count), a.Remedy, string(a.Outcome), rung(a.Rung))
	}
	gauge(ch, healing, truth(s.Healing != nil))
	histogram(ch, heal, s.Heal)
	histogram(ch, late, s.Late)
}

func collectProbe(ch chan<- prometheus.Metric, p engine.ProbeState) {
	if p.State != probes.Unknown {
		gauge(ch, probeOK, truth(p.State == probes.OK), p.ID)
	}
	gauge(ch, probeBlind, truth(p.State == probes.Unknown), p.ID)
	if !p.At.IsZero() {
		gauge(ch, probeAt, seconds(p.At), p.ID)
		gauge(ch, probeChange, seconds(p.Changed), p.ID)
	}
	histogram(ch, probeTook, p.Took, p.ID)
}

func collectFaults(ch chan<- prometheus.Metric, faults []engine.FaultState) {
	count := map[rules.Verdict]int{}
	for _, f := range faults {
		count[f.Verdict]++
		if f.Verdict == rules.Cause {
			gauge(ch, cause, 1, string(f.Fault.Code), f.Fault.Subject, string(f.Severity), string(f.Scope), string(f.Mode), string(f.Action.Kind))
			gauge(ch, causeSince, seconds(f.Since), string(f.Fault.Code), f.Fault.Subject)
		}
	}
	gauge(ch, symptoms, float64(count[rules.Symptom]))
	gauge(ch, undecided, float64(count[rules.Undecided]))
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func histogram(ch chan<- prometheus.Metric, d *prometheus.Desc, h engine.Histogram, labels ...string) {
	buckets := make(map[float64]uint64, len(h.Bounds))
	for i, b := range h.Bounds {
		buckets[b] = h.Counts[i]
	}
	ch <- prometheus.MustNewConstHistogram(d, h.Count, h.Sum, buckets, labels...)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// rung is a label; the ladder is a handful of rungs long.
func rung(n int) string { return string(rune('0' + min(n, 9))) }
