package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/rules"
)

// leftover is a probe that finds what a cut-off run of a remedy left.
type leftover struct {
	w      *world
	remedy string
}

func (l leftover) Spec() probes.Spec {
	return probes.Spec{ID: "leftover", Codes: []probes.Code{"left"}, Every: 5 * time.Second, Timeout: 3 * time.Second}
}

func (l leftover) Observe(context.Context, *host.Host) ([]probes.Finding, error) {
	if !l.w.journal.Left(l.remedy) {
		return nil, nil
	}
	return []probes.Finding{{Code: "left", Subject: l.remedy}}, nil
}

// TestWhatACutOffRunLeftIsFinished: also where the remedy finds nothing to do any
// more.
func TestWhatACutOffRunLeftIsFinished(t *testing.T) {
	for _, remedy := range []string{"nothing", "soft"} {
		synctest.Test(t, func(t *testing.T) {
			hold := ""
			table := []rules.Rule{
				{Code: "odd", Remedies: []string{"nothing", "soft"}},
				{Code: "left", Confirm: 1, Remedies: []string{"{subject}"}, OfRemedy: true},
			}
			r := start(t, table, &hold, func(w *world) []probes.Probe {
				if err := os.WriteFile(filepath.Join(w.journal.Dir, remedy+".json"), []byte(`{"writer":{},"records":[]}`), 0o600); err != nil {
					t.Fatal(err)
				}
				return []probes.Probe{leftover{w, remedy}}
			})
			defer r.stop()
			time.Sleep(20 * time.Second)
			s := r.snapshot()
			if s.State != "ok" || len(s.Recent) != 1 || s.Recent[0].Outcome != rules.Healed || r.journal.Left(remedy) {
				t.Errorf("%s: state %s, attempts %+v, left %v", remedy, s.State, s.Recent, r.journal.Left(remedy))
			}
		})
	}
}
