package rules

import (
	"testing"
	"time"

	"watchdog/probes"
)

// testCore is a core over the test book whose probes have all looked and found
// nothing.
func testCore() *Core {
	b := testBook()
	var order []string
	for _, r := range testTable {
		order = append(order, "probe."+string(r.Code))
	}
	c := NewCore(b, order, NewMemory(nil))
	for _, id := range order {
		c.See(noon, probes.Result{Probe: id, State: probes.OK, At: noon})
	}
	c.Turn(noon, Policy{})
	return c
}

func found(at time.Time, refs ...Ref) probes.Result {
	r := probes.Result{Probe: "probe." + string(refs[0].Code), State: probes.Failing, At: at}
	for _, ref := range refs {
		r.Findings = append(r.Findings, probes.Finding{
			Code: ref.Code, Subject: ref.Subject, Summary: "it is wrong", Evidence: []probes.Evidence{{Source: "here", Want: "a", Got: "b"}},
		})
	}
	return r
}

func well(code probes.Code, at time.Time) probes.Result {
	r := ok(code)
	r.At = at
	return r
}

func TestATurnIsSkippedWhenNothingChanged(t *testing.T) {
	c := testCore()
	dead := On("service.dead", "nginx")
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	steps := []struct {
		name string
		now  float64
		see  *probes.Result
		p    Policy
		want bool
	}{
		{name: "nothing at all", now: 1},
		{name: "the same answer", now: 2, see: new(well("service.dead", at(2)))},
		{name: "another answer", now: 3, see: new(found(at(3), dead)), want: true},
		{name: "the same again, while it waits to be confirmed", now: 4, see: new(found(at(4), dead)), want: true},
		{name: "a hold", now: 5, p: Policy{Hold: "held"}, want: true},
		{name: "the same hold", now: 6, p: Policy{Hold: "held"}},
		{name: "the same answer under the hold", now: 7, see: new(found(at(7), dead)), p: Policy{Hold: "held"}},
		{name: "no hold", now: 8, want: true},
		{name: "approved", now: 9, p: Policy{Approved: map[Ref]Approval{dead: {Plan: "a"}}}, want: true},
		{name: "approved as before", now: 10, p: Policy{Approved: map[Ref]Approval{dead: {Plan: "a"}}}},
		{name: "another plan approved", now: 11, p: Policy{Approved: map[Ref]Approval{dead: {Plan: "b"}}}, want: true},
		{name: "a tighter mode", now: 11.5, p: Policy{Mode: Observe, Approved: map[Ref]Approval{dead: {Plan: "b"}}}, want: true},
		{name: "gone", now: 12, see: new(well("service.dead", at(12))), p: Policy{Approved: map[Ref]Approval{dead: {Plan: "b"}}}, want: true},
	}
	for _, s := range steps {
		if s.see != nil {
			c.See(at(s.now), *s.see)
		}
		if got := c.Turn(at(s.now), s.p); got != s.want {
			t.Errorf("%s: decided anew %t, want %t", s.name, got, s.want)
		}
	}
}

func TestATurnIsMadeWhenTheTimeHasCome(t *testing.T) {
	c := testCore()
	dead := On("service.dead", "nginx")
	for i := range 6 { // the budget is spent
		at := noon.Add(time.Duration(i) * time.Second)
		c.Memory.Attempts = append(c.Memory.Attempts, Attempt{Fault: dead, Remedy: "service.nginx", Outcome: Healed, At: at, Ended: at})
	}
	now := noon.Add(10 * time.Second)
	for range 3 {
		c.See(now, found(now, dead))
	}
	c.Turn(now, Policy{})
	if len(c.Actions) != 1 || c.Actions[0].Kind != GaveUp || !c.Due().Equal(noon.Add(15*time.Minute)) {
		t.Fatalf("got %+v, due %s", c.Actions, c.Due())
	}
	if c.Turn(noon.Add(15*time.Minute-time.Millisecond), Policy{}) {
		t.Error("decided anew before its time")
	}
	if !c.Turn(noon.Add(15*time.Minute), Policy{}) || c.Actions[0].Kind == GaveUp {
		t.Errorf("when the time had come: %+v", c.Actions)
	}
}

func TestAnUnchangedAnswerAllocatesNothing(t *testing.T) {
	c := testCore()
	dead := On("service.dead", "nginx")
	policy := Policy{Mode: Observe} // nothing is decided that waits for another look
	bad, good := found(noon, dead, On("service.dead", "keycloak")), well("cert.copy", noon)
	for range 3 {
		c.See(noon, bad)
	}
	c.Turn(noon, policy)
	for name, r := range map[string]probes.Result{"a fault": bad, "none": good} {
		if n := testing.AllocsPerRun(100, func() {
			c.See(noon, r)
			if c.Turn(noon, policy) {
				t.Fatal("decided anew")
			}
		}); n != 0 {
			t.Errorf("a look of an unchanged answer, of %s, allocates %v times", name, n)
		}
	}
}
