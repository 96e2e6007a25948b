package metrics

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"watchdog/probes"
	"watchdog/rules"
	"watchdog/rules/engine"
)

func snapshot() engine.Snapshot {
	at := time.Unix(1700000000, 0)
	return engine.Snapshot{
		Started: at, At: at,
		Probes: []engine.ProbeState{
			{ID: "issuer.public", State: probes.Failing, At: at, Changed: at, Took: engine.Histogram{Bounds: []float64{0.05, 0.5}, Counts: []uint64{1, 2}, Count: 2, Sum: 0.3}},
			{ID: "dns.zone", State: probes.Unknown},
		},
		Faults: []engine.FaultState{
			{Fault: rules.On("service.dead", "keycloak"), Verdict: rules.Cause, Severity: rules.Critical, Scope: rules.Here, Mode: rules.Auto, Since: at, Action: rules.Action{Kind: rules.Heal}},
			{Fault: rules.On("issuer.unreachable", "public"), Verdict: rules.Symptom},
		},
		Attempts: []engine.AttemptCount{{Remedy: "service.keycloak", Outcome: rules.Healed, Rung: 0, Count: 3}},
	}
}

func collector(s engine.Snapshot, err error) Collector {
	return Collector{Snapshot: func(context.Context) (engine.Snapshot, error) { return s, err }}
}

func TestCollect(t *testing.T) {
	want := `
# HELP watchdog_cause_info A root cause that is there now, always 1.
# TYPE watchdog_cause_info gauge
watchdog_cause_info{action="heal",code="service.dead",mode="auto",scope="here",severity="critical",subject="keycloak"} 1
# HELP watchdog_probe_blind Whether the probe could not look (1).
# TYPE watchdog_probe_blind gauge
watchdog_probe_blind{probe="dns.zone"} 1
watchdog_probe_blind{probe="issuer.public"} 0
# HELP watchdog_probe_ok Whether the probe's newest look found all well (1) or something wrong (0); absent when it could not look.
# TYPE watchdog_probe_ok gauge
watchdog_probe_ok{probe="issuer.public"} 0
# HELP watchdog_remedy_attempts_total Attempts of remedies by what became of them.
# TYPE watchdog_remedy_attempts_total counter
watchdog_remedy_attempts_total{outcome="healed",remedy="service.keycloak",rung="0"} 3
# HELP watchdog_symptoms How many findings are explained by a root cause.
# TYPE watchdog_symptoms gauge
watchdog_symptoms 1
`
	err := testutil.CollectAndCompare(collector(snapshot(), nil), strings.NewReader(want),
		"watchdog_cause_info", "watchdog_probe_blind", "watchdog_probe_ok", "watchdog_remedy_attempts_total", "watchdog_symptoms")
	if err != nil {
		t.Error(err)
	}
}

func TestAnEngineThatDoesNotAnswerIsDown(t *testing.T) {
	want := "# HELP watchdog_up Whether the engine answers (1) or not (0).\n# TYPE watchdog_up gauge\nwatchdog_up 0\n"
	if err := testutil.CollectAndCompare(collector(engine.Snapshot{}, errors.New("connection refused")), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(collector(snapshot(), nil))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %+v", err, problems)
	}
}
