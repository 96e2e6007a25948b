package drill_test

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"

	"watchdog/packaging/lab/drill"
	"watchdog/rules/scenarios"
)

func (w *watchdog) drills() { w.rehearse(drills) }

// othersMost is how many drills are drawn beside those of every change.
const othersMost = 10

// others rehearses ten more of the book, drawn by a seed: that of the environment,
// or one for each commit, so that the same change is judged by the same drills.
func (w *watchdog) others() {
	all := w.scenarios()
	seed := os.Getenv("WATCHDOG_SEED")
	if seed == "" {
		out, err := exec.Command("git", "rev-parse", "HEAD").Output()
		if err != nil {
			w.t.Logf("no commit to draw by: %v", err)
		}
		seed = strings.TrimSpace(string(out))
	}
	w.t.Logf("WATCHDOG_SEED=%s", seed)
	sum := sha256.Sum256([]byte(seed))
	draw := rand.New(rand.NewChaCha8(sum))
	draw.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var ids []string
	for _, s := range all {
		if !slices.Contains(drills, s.ID) && !s.DrillBuild && len(ids) < othersMost {
			ids = append(ids, s.ID)
		}
	}
	w.rehearse(ids)
}

// crashes kills the engine at every step of one remedy that writes, asks and
// reloads. Only a build for drills ends where it is told to.
func (w *watchdog) crashes() {
	program := build(w.t, "-tags", "drill")
	if out, err := exec.CommandContext(w.t.Context(), program, "lab", "up", "--name", labName).CombinedOutput(); err != nil {
		w.t.Fatalf("put a build for drills into the lab: %v\n%s", err, out)
	}
	r := drill.Runner{Lab: w.lab, Log: io.Discard}
	for _, s := range w.scenarios() {
		if s.ID != "nginx-syntax" {
			continue
		}
		steps := 0
		err := r.Crashes(w.t.Context(), s, func(c drill.Crash) {
			steps++
			if !c.Passed() {
				w.t.Errorf("killed at %s: %s", c.Step, strings.Join(c.Wrong, "; "))
			}
		})
		if err != nil || steps < 5 {
			w.t.Errorf("killed at %d steps: %v\n%s", steps, err, w.engineLog())
		}
	}
}

func (w *watchdog) scenarios() []scenarios.Scenario {
	w.t.Helper()
	all, err := scenarios.All()
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// rehearse runs the drills of those names.
func (w *watchdog) rehearse(ids []string) {
	all := w.scenarios()
	r := drill.Runner{Lab: w.lab, Log: io.Discard}
	var scores []drill.Score
	for _, id := range ids {
		i := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.ID == id })
		if i < 0 {
			w.t.Fatalf("there is no drill %s", id)
		}
		score, err := r.Run(w.t.Context(), all[i])
		if err != nil {
			w.t.Errorf("%v\n%s", err, w.engineLog())
		} else if !score.Passed() {
			w.t.Errorf("%s: %s\n%s", id, strings.Join(score.Wrong, "; "), w.engineLog())
		}
		scores = append(scores, score)
	}
	var b strings.Builder
	if err := drill.Print(&b, scores); err != nil {
		w.t.Error(err)
	}
	w.t.Log("\n" + b.String())
}
