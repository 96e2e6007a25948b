package rules

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
)

// A small book with the shapes of the real one: a chain, a shared code with
// subjects, an edge for one subject only, and one that must be seen.
var testTable = []Rule{
	{Code: "service.dead", Severity: Critical, Remedies: []string{"service.{subject}"},
		DependsOn: []Ref{{Code: "service.dead", Subject: "postgresql", When: "keycloak"}}},
	{Code: "keycloak.not-ready", Severity: Critical, DependsOn: []Ref{On("service.dead", "keycloak"), On("postgres.down", "")}, Remedies: []string{"soft", "hard"}},
	{Code: "postgres.down", Severity: Critical, DependsOn: []Ref{On("service.dead", "postgresql")}},
	{Code: "issuer.unreachable", Severity: Critical, DependsOn: []Ref{On("keycloak.not-ready", ""), {Code: "service.dead", Subject: "nginx"}}},
	{Code: "token.unavailable", Severity: Critical, DependsOn: []Ref{On("issuer.unreachable", ""), {Code: "cert.copy", MustSee: true}}},
	{Code: "cert.copy", Severity: Warning, Remedies: []string{"certs.copy"}},
	{Code: "door.open", Severity: Warning, Door: true, Remedies: []string{"shut"}},
}

func testBook() Book {
	b := NewBook(testTable, nil, nil)
	for _, r := range testTable {
		b.Tells[r.Code] = []string{"probe." + string(r.Code)}
	}
	return b
}

func failing(refs ...Ref) []probes.Result {
	var out []probes.Result
	for _, r := range refs {
		out = append(out, probes.Result{Probe: "probe." + string(r.Code), State: probes.Failing, Findings: []probes.Finding{{Code: r.Code, Subject: r.Subject}}})
	}
	return out
}

func blind(code probes.Code) probes.Result {
	return probes.Result{Probe: "probe." + string(code), State: probes.Unknown, Err: errors.New("no answer")}
}

func ok(code probes.Code) probes.Result {
	return probes.Result{Probe: "probe." + string(code), State: probes.OK}
}

func TestDiagnose(t *testing.T) {
	dead := func(s string) Ref { return On("service.dead", s) }
	notReady, issuer, token := On("keycloak.not-ready", "database"), On("issuer.unreachable", "public"), On("token.unavailable", "")
	tests := []struct {
		name string
		seen []probes.Result
		want map[Ref]Verdict
	}{
		{"what is well lets nothing through", append(failing(issuer, dead("postgresql")), ok("keycloak.not-ready")),
			map[Ref]Verdict{dead("postgresql"): Cause, issuer: Cause}},
		{"a cause alone", failing(dead("nginx")), map[Ref]Verdict{dead("nginx"): Cause}},
		{"a chain has one cause", failing(token, issuer, notReady, dead("keycloak")),
			map[Ref]Verdict{dead("keycloak"): Cause, notReady: Symptom, issuer: Symptom, token: Symptom}},
		{"a gap in the chain hides nothing", failing(issuer, dead("postgresql")),
			map[Ref]Verdict{dead("postgresql"): Cause, issuer: Symptom}},
		{"two faults are two causes", failing(issuer, dead("nginx"), dead("postgresql")),
			map[Ref]Verdict{dead("nginx"): Cause, dead("postgresql"): Cause, issuer: Symptom}},
		{"an edge for one subject is not one for another", failing(dead("postgresql"), dead("nginx"), dead("keycloak")),
			map[Ref]Verdict{dead("postgresql"): Cause, dead("nginx"): Cause, dead("keycloak"): Symptom}},
		{"blindness that matters", append(failing(token), blind("cert.copy")), map[Ref]Verdict{token: Undecided}},
		{"blindness that does not", append(failing(issuer), blind("postgres.down")), map[Ref]Verdict{issuer: Cause}},
		{"blindness beside a known cause", append(failing(token, dead("nginx")), blind("cert.copy")),
			map[Ref]Verdict{token: Symptom, dead("nginx"): Cause}},
		{"a code without a rule is never dropped", failing(On("new.fault", "x")), map[Ref]Verdict{On("new.fault", "x"): Cause}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[Ref]Verdict{}
			for _, d := range Diagnose(testBook(), tt.seen) {
				got[d.Fault] = d.Verdict
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiagnoseExplains(t *testing.T) {
	ds := Diagnose(testBook(), failing(On("token.unavailable", ""), On("issuer.unreachable", "public"), On("service.dead", "nginx"), On("service.dead", "postgresql")))
	want := []Ref{On("issuer.unreachable", "public"), On("token.unavailable", "")}
	for _, d := range ds[:2] {
		if d.Verdict != Cause {
			t.Fatalf("%s comes before the causes", d.Fault)
		}
		got := map[Ref]bool{}
		for _, e := range d.Explains {
			got[e] = true
		}
		for _, w := range want {
			if !got[w] {
				t.Errorf("%s does not explain %s", d.Fault, w)
			}
		}
	}
	for _, d := range ds[2:] {
		if len(d.By) != 2 {
			t.Errorf("%s is explained by %v, want both", d.Fault, d.By)
		}
	}
}

func TestDiagnoseMergesEvidence(t *testing.T) {
	one := probes.Finding{Code: "service.dead", Subject: "nginx", Evidence: []probes.Evidence{{Source: "a"}}}
	two := probes.Finding{Code: "service.dead", Subject: "nginx", Evidence: []probes.Evidence{{Source: "b"}}}
	ds := Diagnose(testBook(), []probes.Result{
		{Probe: "p", State: probes.Failing, Findings: []probes.Finding{one}},
		{Probe: "q", State: probes.Failing, Findings: []probes.Finding{two}},
	})
	if len(ds) != 1 || len(ds[0].Finding.Evidence) != 2 || len(ds[0].Probes) != 2 {
		t.Fatalf("got %+v, want one diagnosis with both pieces of evidence", ds)
	}
	if len(one.Evidence) != 1 {
		t.Error("the probe's own finding was changed")
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// lookedAt are results of probes that looked at those times.
func lookedAt(times map[string]time.Time) map[string]probes.Result {
	out := map[string]probes.Result{}
	for p, at := range times {
		out[p] = probes.Result{Probe: p, State: probes.OK, At: at}
	}
	return out
}

func TestDecide(t *testing.T) {
	fault := On("service.dead", "nginx")
	sure := map[Ref]Sighting{fault: {First: noon.Add(-time.Minute), Cause: noon.Add(-time.Minute), Last: noon, Looks: 3}}
	looked := lookedAt(map[string]time.Time{"probe.service.dead": noon})
	attempt := func(o Outcome, ago time.Duration) Attempt {
		return Attempt{Fault: fault, Remedy: "service.nginx", Outcome: o, At: noon.Add(-ago), Ended: noon.Add(-ago).Add(time.Second)}
	}
	many := func(n int) (out []Attempt) {
		for i := range n {
			out = append(out, attempt(Healed, time.Duration(n-i)*time.Minute))
		}
		return out
	}
	tests := []struct {
		name   string
		memory Memory
		policy Policy
		want   Kind
	}{
		{"confirmed", Memory{Sightings: sure, Latest: looked}, Policy{}, Heal},
		{"seen once", Memory{Sightings: map[Ref]Sighting{fault: {First: noon, Looks: 1}}, Latest: looked}, Policy{}, Wait},
		{"kill switch", Memory{Sightings: sure, Latest: looked}, Policy{Hold: "held"}, Hold},
		{"mode ask", Memory{Sightings: sure, Latest: looked}, Policy{Modes: map[probes.Code]Mode{"service.dead": Ask}}, Asking},
		{"site observes", Memory{Sightings: sure, Latest: looked}, Policy{Mode: Observe}, Report},
		{"a site mode never loosens", Memory{Sightings: sure, Latest: looked}, Policy{Mode: Auto, Modes: map[probes.Code]Mode{"service.dead": Observe}}, Report},
		{"another remedy at work", Memory{Sightings: sure, Latest: looked, Healing: &Ref{Code: "x"}}, Policy{}, Wait},
		{"budget spent", Memory{Sightings: sure, Latest: looked, Attempts: many(6)}, Policy{}, GaveUp},
		{"budget of another fault", Memory{Sightings: sure, Latest: looked, Attempts: []Attempt{{Fault: On("service.dead", "x"), Outcome: Failed, At: noon, Ended: noon}}}, Policy{}, Heal},
		{"old attempts do not count", Memory{Sightings: sure, Latest: looked, Attempts: []Attempt{attempt(Failed, time.Hour)}}, Policy{}, Heal},
		{"backs off after a failure", Memory{Sightings: sure, Latest: looked, Attempts: []Attempt{attempt(Failed, 2*time.Second)}}, Policy{}, Wait},
		{"back-off ends", Memory{Sightings: sure, Latest: looked, Attempts: []Attempt{attempt(Failed, 10*time.Second)}}, Policy{}, Heal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ds := Diagnose(testBook(), failing(fault))
			got := Decide(noon, testBook(), ds, tt.memory, tt.policy)
			if got[0].Kind != tt.want {
				t.Errorf("got %s (%s), want %s", got[0].Kind, got[0].Reason, tt.want)
			}
		})
	}
}

func TestDecideWantsAFreshLook(t *testing.T) {
	fault := On("service.dead", "nginx")
	m := Memory{Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Minute), Last: noon.Add(-5 * time.Second), Looks: 9}}}
	ds := Diagnose(testBook(), failing(fault))
	a := Decide(noon, testBook(), ds, m, Policy{})[0]
	if a.Kind != Wait || len(a.Look) != 1 || a.Look[0] != "probe.service.dead" {
		t.Errorf("got %s (%s), look at %v: it may be gone by now", a.Kind, a.Reason, a.Look)
	}
}

func TestDecideLooksAgainAfterAHold(t *testing.T) {
	for _, fault := range []Ref{On("service.dead", "nginx"), On("door.open", "")} {
		m := Memory{
			Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Minute), Began: noon.Add(-time.Second), Last: noon.Add(-time.Second), Looks: 9}},
			Held:      noon.Add(-time.Millisecond),
		}
		ds := Diagnose(testBook(), failing(fault))
		if a := Decide(noon, testBook(), ds, m, Policy{})[0]; a.Kind != Wait || len(a.Look) != 1 {
			t.Errorf("%s: got %s (%s): a person may have mended it under the hold", fault, a.Kind, a.Reason)
		}
	}
}

func TestASymptomsTimeDoesNotCount(t *testing.T) {
	fault := On("keycloak.not-ready", "database")
	b := testBook()
	r := b.Rules["keycloak.not-ready"]
	r.For = time.Minute
	b.Rules["keycloak.not-ready"] = r
	m := Memory{
		Sightings: map[Ref]Sighting{fault: {First: noon.Add(-10 * time.Minute), Last: noon, Looks: 99}},
		Latest:    lookedAt(map[string]time.Time{"probe.service.dead": noon, "probe.postgres.down": noon}),
	}
	m.stand(noon.Add(-time.Second), Diagnose(b, failing(fault, On("postgres.down", ""))))
	ds := Diagnose(b, failing(fault)) // the database is back, Keycloak not yet
	m.stand(noon, ds)
	if a := Decide(noon, b, ds, m, Policy{})[0]; a.Kind != Wait || !a.Until.Equal(noon.Add(time.Minute)) {
		t.Errorf("got %s until %s: it was a symptom until now", a.Kind, a.Until)
	}
}

func TestDecideLooksBeneathFirst(t *testing.T) {
	fault := On("keycloak.not-ready", "unknown")
	m := Memory{
		Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Second), Last: noon, Looks: 3}},
		Latest:    lookedAt(map[string]time.Time{"probe.service.dead": noon.Add(-4 * time.Second), "probe.postgres.down": noon}),
	}
	ds := Diagnose(testBook(), failing(fault))
	if a := Decide(noon, testBook(), ds, m, Policy{})[0]; a.Kind != Wait {
		t.Errorf("got %s: the service was last seen before the fault", a.Kind)
	}
	m.Latest["probe.service.dead"] = probes.Result{At: noon}
	if a := Decide(noon, testBook(), ds, m, Policy{})[0]; a.Kind != Heal {
		t.Errorf("got %s (%s), want heal", a.Kind, a.Reason)
	}
}

func TestDecideClimbsTheLadder(t *testing.T) {
	fault := On("keycloak.not-ready", "unknown")
	m := Memory{
		Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Minute), Last: noon, Looks: 9}},
		Latest:    lookedAt(map[string]time.Time{"probe.service.dead": noon, "probe.postgres.down": noon}),
	}
	ds := Diagnose(testBook(), failing(fault))
	for i, want := range []string{"soft", "hard", "hard"} {
		a := Decide(noon, testBook(), ds, m, Policy{})[0]
		if a.Kind != Heal || a.Remedy != want || a.Rung != i {
			t.Fatalf("attempt %d: got %s %s on rung %d, want heal by %s", i, a.Kind, a.Remedy, a.Rung, want)
		}
		end := noon.Add(-time.Duration(60-20*i) * time.Second)
		m.Attempts = append(m.Attempts, Attempt{Fault: fault, Remedy: a.Remedy, Rung: i, At: end, Ended: end, Outcome: Unproved})
	}
}

func TestDecideOneAtATimeDoorsFirst(t *testing.T) {
	dead, door, cert := On("service.dead", "nginx"), On("door.open", ""), On("cert.copy", "")
	sure := Sighting{First: noon.Add(-time.Minute), Last: noon, Looks: 3}
	m := Memory{Sightings: map[Ref]Sighting{dead: sure, door: {First: noon, Looks: 1}, cert: sure}}
	ds := Diagnose(testBook(), failing(cert, dead, door))
	got := map[Ref]Kind{}
	for _, a := range Decide(noon, testBook(), ds, m, Policy{}) {
		got[a.Fault] = a.Kind
	}
	want := map[Ref]Kind{door: Heal, dead: Wait, cert: Wait}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestDecideLeavesTheUsersOfWhatWasHealedAMoment(t *testing.T) {
	fault := On("keycloak.not-ready", "unknown")
	m := Memory{
		Sightings: map[Ref]Sighting{fault: {First: noon.Add(-time.Second), Last: noon, Looks: 3}},
		Latest:    lookedAt(map[string]time.Time{"probe.service.dead": noon, "probe.postgres.down": noon}),
		Attempts:  []Attempt{{Fault: On("service.dead", "postgresql"), Outcome: Healed, At: noon.Add(-3 * time.Second), Ended: noon.Add(-time.Second)}},
	}
	ds := Diagnose(testBook(), failing(fault))
	if a := Decide(noon, testBook(), ds, m, Policy{})[0]; a.Kind != Wait || !a.Until.Equal(noon.Add(4*time.Second)) {
		t.Errorf("got %s (%s) until %s, want a wait of the rest of five seconds", a.Kind, a.Reason, a.Until)
	}
	m.Attempts[0].Fault = On("service.dead", "nginx") // which explains nothing of it
	if a := Decide(noon, testBook(), ds, m, Policy{})[0]; a.Kind != Heal {
		t.Errorf("got %s (%s), want heal", a.Kind, a.Reason)
	}
}
