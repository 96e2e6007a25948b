package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stayingBook has a certificate that ran out while its timer was off, or while
// nobody reached port 80, and clients that refuse it.
func stayingBook() Book {
	table := []Rule{
		{Code: "service.disabled", Remedies: []string{"service.{subject}"}},
		{Code: "service.dead", Remedies: []string{"service.{subject}"}},
		{Code: "acme.blocked", DependsOn: []Ref{On("service.dead", "nginx")}, Remedies: []string{"firewall"}},
		{Code: "cert.expiring", Remedies: []string{"order"}, DependsOn: []Ref{
			{Code: "service.disabled", Subject: "timer", Stays: true}, {Code: "acme.blocked", Stays: true}, {Code: "copy.old"},
		}},
		{Code: "copy.old", Remedies: []string{"copy"}},
		{Code: "issuer.untrusted", DependsOn: []Ref{On("cert.expiring", "")}, Remedies: []string{"restart"}},
	}
	b := NewBook(table, nil, nil)
	for _, r := range table {
		b.Tells[r.Code] = []string{"probe." + string(r.Code)}
	}
	return b
}

func TestDiagnoseTellsWhatOutlastsItsCause(t *testing.T) {
	off, dead, blocked := On("service.disabled", "timer"), On("service.dead", "nginx"), On("acme.blocked", "")
	expiring, old, untrusted := On("cert.expiring", "x"), On("copy.old", ""), On("issuer.untrusted", "public")
	for name, tt := range map[string]struct {
		found []Ref
		want  map[Ref][]Ref // symptom → the causes that it outlasts
	}{
		"directly":          {[]Ref{off, expiring}, map[Ref][]Ref{expiring: {off}}},
		"by another":        {[]Ref{off, expiring, untrusted}, map[Ref][]Ref{expiring: {off}, untrusted: {off}}},
		"in the middle":     {[]Ref{dead, blocked, expiring}, map[Ref][]Ref{blocked: nil, expiring: {dead}}},
		"of two causes one": {[]Ref{off, old, expiring}, map[Ref][]Ref{expiring: {off}}},
		"none":              {[]Ref{old, expiring, untrusted}, map[Ref][]Ref{expiring: nil, untrusted: nil}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[Ref][]Ref{}
			for _, d := range Diagnose(stayingBook(), failing(tt.found...)) {
				if d.Verdict == Symptom {
					got[d.Fault] = d.Outlasts
				} else if d.Outlasts != nil {
					t.Errorf("%s outlasts %v, and is no symptom", d.Fault, d.Outlasts)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecideActsAtOnceOnWhatStays: what does not end with its cause is given no
// time to.
func TestDecideActsAtOnceOnWhatStays(t *testing.T) {
	off, expiring, old := On("service.disabled", "timer"), On("cert.expiring", "x"), On("copy.old", "")
	b := stayingBook()
	memory := func(cause Ref) Memory {
		m := Memory{
			Sightings: map[Ref]Sighting{expiring: {First: noon.Add(-time.Minute), Began: noon, Last: noon, Looks: 3}},
			Attempts:  []Attempt{{Fault: cause, Outcome: Healed, At: noon.Add(-3 * time.Second), Ended: noon.Add(-time.Second)}},
		}
		looked := map[string]time.Time{}
		for code := range b.Rules {
			looked["probe."+string(code)] = noon
		}
		m.Latest = lookedAt(looked)
		m.stand(noon.Add(-2*time.Second), Diagnose(b, failing(expiring, cause)))
		m.stand(noon.Add(-time.Second), Diagnose(b, failing(expiring)))
		return m
	}
	ds := Diagnose(b, failing(expiring))
	if a := Decide(noon, b, ds, memory(off), Policy{})[0]; a.Kind != Heal {
		t.Errorf("after the timer: %s (%s), want heal", a.Kind, a.Reason)
	}
	if a := Decide(noon, b, ds, memory(old), Policy{})[0]; a.Kind != Wait {
		t.Errorf("after the copy: %s (%s), want wait: it may end with it", a.Kind, a.Reason)
	}
}
