package rules

import (
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// TestSelfCauses holds the graph of the program's own faults.
func TestSelfCauses(t *testing.T) {
	for _, c := range []struct{ name, causes, seen string }{
		{"nothing can be written on a full disk", "host.disk-full /var/lib/watchdog", "self.state-unwritable /var/lib/watchdog"},
		{"mounted read-only", "self.state-unwritable /var/lib/watchdog", ""},
		{"nobody hears", "self.events-lost unit", ""},
		{"what was cut off shows as drift", "self.left-undone certs.hook", "drift certs.hook"},
		{"what it was to heal is still there", "hook.missing", "self.left-undone certs.hook,drift certs.hook"},
		{"it was to heal something else", "self.left-undone certs.hook,service.stopped nginx", ""},
	} {
		t.Run(c.name, func(t *testing.T) { wantCauses(t, c.causes, c.seen) })
	}
}

// TestWhatWasCutOffIsFinished: a person is asked where data may be lost, and told
// where the daemon has no such remedy.
func TestWhatWasCutOffIsFinished(t *testing.T) {
	table, ps, _ := everything(t)
	for name, c := range map[string]struct {
		cures []remedies.Spec
		want  Kind
	}{
		"harmless":                 {[]remedies.Spec{{ID: "certs.hook"}}, Heal},
		"may lose data":            {[]remedies.Spec{{ID: "certs.hook", Risk: remedies.DataLoss}}, Asking},
		"not the daemon's to heal": {[]remedies.Spec{{ID: "certs.copy"}}, Report},
	} {
		t.Run(name, func(t *testing.T) {
			fault := On("self.left-undone", "certs.hook")
			b := NewBook(table, ps, nil)
			for _, s := range c.cures {
				b.Cures[s.ID] = s
			}
			m := NewMemory(nil)
			m.Sightings[fault] = Sighting{First: noon, Began: noon, Last: noon, Looks: 1} // once is enough
			for _, p := range ps {
				id := p.Spec().ID
				m.Latest[id] = probes.Result{Probe: id, State: probes.OK, At: noon.Add(time.Millisecond)}
			}
			ds := Diagnose(b, []probes.Result{{Probe: "self.journal", State: probes.Failing, Findings: []probes.Finding{{Code: fault.Code, Subject: fault.Subject}}}})
			a := Decide(noon.Add(time.Second), b, ds, m, Policy{})[0]
			if a.Kind != c.want || c.want == Heal && a.Remedy != "certs.hook" {
				t.Errorf("%s %s: %s", a.Kind, a.Remedy, a.Reason)
			}
		})
	}
}
