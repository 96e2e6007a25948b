package main

import (
	"context"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/rules"
)

// eye finds one fault after a while, and counts its looks.
type eye struct {
	code  probes.Code
	after time.Duration
	looks *int
}

func (e eye) Spec() probes.Spec {
	return probes.Spec{ID: string(e.code), Codes: []probes.Code{e.code}, Every: time.Second, Timeout: 5 * time.Second}
}

func (e eye) Observe(context.Context, *host.Host) ([]probes.Finding, error) {
	*e.looks++
	time.Sleep(e.after)
	return []probes.Finding{{Code: e.code}}, nil
}

// TestWhatIsSilentIsNotWaitedForTwice: diagnose confirms what is quickly seen, and
// takes the word of a look that took its time.
func TestWhatIsSilentIsNotWaitedForTwice(t *testing.T) {
	var quick, slow int
	ps := []probes.Probe{eye{"host.quick", 0, &quick}, eye{"host.slow", second, &slow}}
	h := hosttest.New()
	h.Now = time.Now
	m := &machine{host: h, stack: rules.Stack{}, probes: ps, book: rules.NewBook(nil, ps, nil)}
	if rep := m.diagnose(t.Context(), ps); len(rep.Causes) != 2 {
		t.Errorf("causes %v, want both", rep.Causes)
	}
	if quick != 2 || slow != 1 {
		t.Errorf("%d looks at the quick one, %d at the slow one; want 2 and 1", quick, slow)
	}
}
