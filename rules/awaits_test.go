package rules

import (
	"testing"
	"time"

	"watchdog/probes"
)

// TestDecideReportsWhatAwaitsSomebody: no remedy is tried before it could help.
func TestDecideReportsWhatAwaitsSomebody(t *testing.T) {
	fault := On("service.dead", "nginx")
	m := Memory{
		Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Minute), Cause: noon.Add(-time.Minute), Last: noon, Looks: 3}},
		Latest:    lookedAt(map[string]time.Time{"probe.service.dead": noon}),
	}
	seen := []probes.Result{{Probe: "probe.service.dead", State: probes.Failing, Findings: []probes.Finding{{Code: fault.Code, Subject: fault.Subject, Awaits: "port 80 is free"}}}}
	a := Decide(noon, testBook(), Diagnose(testBook(), seen), m, Policy{})[0]
	if a.Kind != Report || a.Reason != "nothing helps before port 80 is free" {
		t.Errorf("got %s (%s), want a report", a.Kind, a.Reason)
	}
	if a := Decide(noon, testBook(), Diagnose(testBook(), failing(fault)), m, Policy{})[0]; a.Kind != Heal {
		t.Errorf("released: got %s (%s), want heal", a.Kind, a.Reason)
	}
	rule := testBook().Rules[fault.Code]
	if got := rule.Fixes(Auto, seen[0].Findings[0])[0].String(); got != "watchdog does it: service.nginx, once port 80 is free" {
		t.Errorf("fix is %q", got)
	}
}
