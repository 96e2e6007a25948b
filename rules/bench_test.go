package rules

import (
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// realCore is a core over the whole book of the guide's identity host, whose
// probes have all looked and found nothing.
func realCore(b *testing.B) (*Core, []probes.Result) {
	s := siteForTests()
	list, err := Remedies(s)
	if err != nil {
		b.Fatal(err)
	}
	ps := append(Probes(s), Drift{list})
	var order []string
	var all []probes.Result
	for _, p := range ps {
		order = append(order, p.Spec().ID)
		all = append(all, probes.Result{Probe: p.Spec().ID, State: probes.OK, At: noon})
	}
	c := NewCore(NewBook(Table(), ps, append([]remedies.Remedy{}, list...)), order, NewMemory(nil))
	for _, r := range all {
		c.See(noon, r)
	}
	c.Turn(noon, Policy{})
	return c, all
}

// What an observation costs that says what the one before it said: all day long
// there is nothing else.
func BenchmarkObservationThatChangesNothing(b *testing.B) {
	c, all := realCore(b)
	policy := Policy{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.See(noon, all[i%len(all)])
		if c.Turn(noon, policy) {
			b.Fatal("decided anew")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "observations/s")
}

// What observations cost while a fault with symptoms comes and goes: half of
// them change the picture and are diagnosed and decided anew.
func BenchmarkTurn(b *testing.B) {
	c, _ := realCore(b)
	dead := probes.Result{Probe: "service.keycloak", State: probes.Failing, Findings: []probes.Finding{{
		Code: "service.dead", Subject: "keycloak", Summary: "keycloak ended by itself", Evidence: []probes.Evidence{{Source: "keycloak.service", Want: "running", Got: "failed"}},
	}}}
	closed := probes.Result{Probe: "edge.443", State: probes.Failing, Findings: []probes.Finding{{Code: "edge.closed", Summary: "closed at once"}}}
	story := []probes.Result{dead, closed, dead, closed, {Probe: dead.Probe, State: probes.OK}, {Probe: closed.Probe, State: probes.OK}, {Probe: "host.disk", State: probes.OK}, {Probe: "listeners", State: probes.OK}}
	turns, now := 0, noon
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		r := story[i%len(story)]
		r.At = now
		c.See(now, r)
		if c.Turn(now, Policy{}) {
			turns++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "observations/s")
	b.ReportMetric(float64(turns)/float64(b.N), "turns/observation")
}
