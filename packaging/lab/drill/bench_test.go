package drill_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"watchdog/packaging/lab"
	"watchdog/probes"
	"watchdog/rules/engine"
)

// The benchmarks measure the lab that is up ("watchdog lab up"), not one of
// their own: go test -bench . -run '^$' ./packaging/lab/drill. WATCHDOG_LAB names
// another than the default.

func benchLab(b *testing.B) (run func(script string) []byte, l *lab.Lab) {
	b.Helper()
	l, err := lab.New(lab.Options{Name: os.Getenv("WATCHDOG_LAB")})
	if err != nil {
		b.Fatal(err)
	}
	return func(script string) []byte {
		var out, errs bytes.Buffer
		code, err := l.Exec(b.Context(), "idp", []string{"sh", "-c", script}, nil, &out, &errs)
		if err != nil || code != 0 {
			b.Fatalf("%s: %v, exit code %d: %s (is the lab up?)", script, err, code, errs.String())
		}
		return out.Bytes()
	}, l
}

// BenchmarkDiagnose times a person's question on the healthy host, from the
// command to its end, and against its slowest single probe.
func BenchmarkDiagnose(b *testing.B) {
	run, _ := benchLab(b)
	var walls, ratios []float64
	for b.Loop() {
		var report struct {
			Probes []struct {
				ID   string  `json:"id"`
				Took float64 `json:"took_seconds"`
			} `json:"probes"`
		}
		out := run(`s=$(date +%s%N); watchdog diagnose --json; e=$(date +%s%N); echo "$((e-s))"`)
		cut := bytes.LastIndexByte(bytes.TrimSpace(out), '\n')
		if err := json.Unmarshal(out[:cut], &report); err != nil {
			b.Fatal(err)
		}
		ns, err := strconv.ParseFloat(strings.TrimSpace(string(out[cut:])), 64)
		if err != nil {
			b.Fatal(err)
		}
		slowest := 0.0
		for _, p := range report.Probes {
			slowest = max(slowest, p.Took)
		}
		walls = append(walls, ns/1e9)
		ratios = append(ratios, ns/1e9/slowest)
	}
	b.ReportMetric(median(walls), "wall-s/op")
	b.ReportMetric(median(ratios), "x-slowest-probe")
}

// BenchmarkAtRest measures the engine on the healthy host over a minute: its
// share of one core, and its resident memory.
func BenchmarkAtRest(b *testing.B) {
	run, _ := benchLab(b)
	const window = time.Minute
	pid := strings.TrimSpace(string(run("systemctl show -P MainPID watchdog-engine.service")))
	ticks := func() float64 {
		// What the engine's children (nft, nginx -T, getent) cost is its cost.
		f := strings.Fields(string(run("cut -d')' -f2 /proc/" + pid + "/stat")))
		sum := 0.0
		for _, i := range []int{11, 12, 13, 14} {
			n, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	for b.Loop() {
		before := ticks()
		time.Sleep(window)
		b.ReportMetric((ticks()-before)/100/window.Seconds()*100, "%core")
		kb := strings.Fields(string(run("grep VmRSS /proc/" + pid + "/status")))
		n, err := strconv.ParseFloat(kb[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(n/1024, "MB-RSS")
	}
}

// BenchmarkHung freezes the database and Keycloak and deafens the resolver, and
// measures how far behind their time the looks of all probes begin: of those
// that hang, and of those that must not be held up by them.
func BenchmarkHung(b *testing.B) {
	run, l := benchLab(b)
	const window = 30 * time.Second
	deaf := func(mode string) {
		if err := l.EditZone(func(z *lab.Zone) error { z.Mode = mode; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	signal := func(s string) {
		run("systemctl kill -s " + s + " keycloak.service postgresql@15-main.service")
	}
	status := func() (s engine.Snapshot) {
		if err := json.Unmarshal(run("watchdog status --json || true"), &s); err != nil {
			b.Fatal(err)
		}
		return s
	}
	run("touch /etc/watchdog/hold")
	defer run("rm /etc/watchdog/hold")
	for b.Loop() {
		deaf(lab.DNSTimeout)
		signal("STOP")
		time.Sleep(10 * time.Second) // until everything that hangs hangs
		before := status()
		time.Sleep(window)
		after := status()
		signal("CONT")
		deaf(lab.DNSNormal)
		hung := 0
		for _, p := range after.Probes {
			if p.State == probes.Unknown || p.Took.Sum > 2*float64(p.Took.Count) {
				hung++
			}
		}
		looks, late := after.Late.Count-before.Late.Count, uint64(0)
		for i, bound := range after.Late.Bounds {
			if bound == 0.05 {
				late = looks - (after.Late.Counts[i] - before.Late.Counts[i])
			}
		}
		b.ReportMetric(float64(hung), "hung-probes")
		b.ReportMetric(float64(looks), "looks")
		b.ReportMetric(float64(late), "looks-over-50ms-late")
		b.ReportMetric((after.Late.Sum-before.Late.Sum)/float64(looks)*1000, "ms-late-mean")
	}
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
