package rules

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/remedies"
)

// part is a remedy with a plan of its own.
type part struct {
	id   string
	plan remedies.Plan
	err  error
}

func (p part) Spec() remedies.Spec { return remedies.Spec{ID: p.id} }

func (p part) Plan(context.Context, *host.Host) (remedies.Plan, error) { return p.plan, p.err }

type fakeEdit string

func (e fakeEdit) String() string                             { return string(e) }
func (e fakeEdit) Diff() string                               { return "" }
func (e fakeEdit) Do(context.Context, remedies.Hands) error   { return nil }
func (e fakeEdit) Undo(context.Context, remedies.Hands) error { return nil }

func TestDriftIsAPlanThatIsNotEmpty(t *testing.T) {
	writes := remedies.Plan{Edits: []remedies.Edit{fakeEdit("write a"), fakeEdit("write b")}}
	waits := writes
	waits.Waits = []string{"secret db-password"}
	d := Drift{[]remedies.Remedy{
		part{id: "right"}, part{id: "changed", plan: writes}, part{id: "waiting", plan: waits}, part{id: "blind", err: errors.New("no answer")},
		part{id: "settling", plan: remedies.Plan{Effects: []remedies.Effect{remedies.Until{}}}},
	}}
	got, err := d.Observe(t.Context(), &host.Host{})
	if err != nil || len(got) != 1 || got[0].Subject != "changed" || got[0].Summary != "install would write a and 1 more" || len(got[0].Evidence) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	d.Remedies = []remedies.Remedy{part{id: "blind", err: errors.New("no answer")}}
	if got, err := d.Observe(t.Context(), &host.Host{}); err == nil {
		t.Errorf("nothing could be planned, and it answers %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := d.Observe(ctx, &host.Host{}); err == nil {
		t.Errorf("cancelled, and it answers %v", got)
	}
}

func TestDriftOfIsAllThatInstallMakesButItself(t *testing.T) {
	d, err := DriftOf(siteForTests())
	if err != nil {
		t.Fatal(err)
	}
	list, err := Remedies(siteForTests())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Remedies) != len(list)-1 {
		t.Errorf("looks at %d of %d parts", len(d.Remedies), len(list))
	}
	for _, r := range d.Remedies {
		if r.Spec().ID == "self" {
			t.Error("looks at the program itself")
		}
	}
}

// Drift of a part is a symptom of the fault whose ladder holds that part's
// remedy, and of no other.
func TestDriftIsExplainedByTheFaultThatItsRemedyHeals(t *testing.T) {
	drift := func(id string) Ref { return On(DriftCode, id) }
	b := NewBook(append([]Rule{
		{Code: "both.rungs", Remedies: []string{"soft", "service.{subject}.restart"}},
		{Code: "by.person"},
	}, append(testTable, driftTable...)...), nil, nil)
	tests := []struct {
		name string
		seen []Ref
		want map[Ref]Verdict
	}{
		{"alone", []Ref{drift("certs.copy")}, map[Ref]Verdict{drift("certs.copy"): Cause}},
		{"its fault is there", []Ref{drift("certs.copy"), On("cert.copy", "")},
			map[Ref]Verdict{drift("certs.copy"): Symptom, On("cert.copy", ""): Cause}},
		{"of the same subject", []Ref{drift("service.nginx"), On("service.dead", "nginx")},
			map[Ref]Verdict{drift("service.nginx"): Symptom, On("service.dead", "nginx"): Cause}},
		{"of another subject", []Ref{drift("service.nginx"), On("service.dead", "keycloak")},
			map[Ref]Verdict{drift("service.nginx"): Cause, On("service.dead", "keycloak"): Cause}},
		{"the second rung", []Ref{drift("service.x.restart"), On("both.rungs", "x")},
			map[Ref]Verdict{drift("service.x.restart"): Symptom, On("both.rungs", "x"): Cause}},
		{"a fault of a person's", []Ref{drift("certs.copy"), On("by.person", "")},
			map[Ref]Verdict{drift("certs.copy"): Cause, On("by.person", ""): Cause}},
		{"through the fault's own cause", []Ref{drift("soft"), On("postgres.down", "")},
			map[Ref]Verdict{drift("soft"): Symptom, On("postgres.down", ""): Cause}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[Ref]Verdict{}
			for _, d := range Diagnose(b, failing(tt.seen...)) {
				got[d.Fault] = d.Verdict
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

// Nobody asked for what was changed by hand to be changed back.
func TestDriftAloneIsReported(t *testing.T) {
	b := NewBook(append(driftTable, testTable...), nil, nil)
	m := NewMemory(nil)
	ref := On(DriftCode, "nginx.conf")
	for i := range 9 {
		m.See(noon, &b, probes.Result{Probe: "drift", State: probes.Failing, At: noon, Findings: []probes.Finding{{Code: DriftCode, Subject: ref.Subject}}})
		if a := Decide(noon, b, Diagnose(b, failing(ref)), m, Policy{}); a[0].Kind != Report {
			t.Fatalf("after %d looks: %s by %s", i+1, a[0].Kind, a[0].Remedy)
		}
	}
}

// A look at drift while a remedy is at work sees its half-made change.
func TestDriftIsNotLookedAtWhileARemedyIsAtWork(t *testing.T) {
	b := NewBook(driftTable, []probes.Probe{Drift{}}, nil)
	m := NewMemory(nil)
	half := probes.Result{Probe: "drift", State: probes.Failing, At: noon, Findings: []probes.Finding{{Code: DriftCode, Subject: "nginx.conf"}}}
	m.Healing = &nginxDead
	if s := m.See(noon, &b, half); len(m.Sightings) != 0 || s.Changed {
		t.Errorf("counted while a remedy was at work: %+v", m.Sightings)
	}
	m.Healing, m.Worked = nil, noon.Add(1)
	if s := m.See(noon.Add(2), &b, half); len(m.Sightings) != 0 || !s.Again {
		t.Errorf("counted though it began before the remedy's end, again %t", s.Again)
	}
	half.At = noon.Add(3)
	if m.See(noon.Add(4), &b, half); len(m.Sightings) != 1 {
		t.Error("not counted after the remedy's end")
	}
}
