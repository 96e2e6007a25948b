package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
)

// wantCauses holds that of the faults seen at once, which are the causes and
// what is seen beside them, the causes are causes and nothing else is. Both are
// lists "CODE SUBJECT,…".
func wantCauses(t *testing.T, causes, seen string) {
	t.Helper()
	table, ps, _ := everything(t)
	book := NewBook(table, ps, nil)
	var findings []probes.Finding
	for _, f := range split(causes + "," + seen) {
		if _, ok := book.Rules[f.Code]; !ok {
			t.Fatalf("%s has no row", f.Code)
		}
		findings = append(findings, probes.Finding{Code: f.Code, Subject: f.Subject})
	}
	want, got := map[Ref]bool{}, map[Ref]bool{}
	for _, f := range split(causes) {
		want[f] = true
	}
	for _, d := range Diagnose(book, []probes.Result{{Probe: "all", State: probes.Failing, Findings: findings}}) {
		if d.Verdict == Cause {
			got[d.Fault] = true
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("causes (-want +got):\n%s", d)
	}
}

func split(list string) []Ref {
	var out []Ref
	for f := range strings.SplitSeq(list, ",") {
		if code, subject, _ := strings.Cut(f, " "); code != "" {
			out = append(out, On(probes.Code(code), subject))
		}
	}
	return out
}
