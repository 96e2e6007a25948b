package rules

import (
	"slices"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// A scene is one fault that may be healed, and everything that may speak against
// it.
type scene struct {
	fault Ref
	seen  []Ref
	book  Book
	m     Memory
	p     Policy
}

// clear is a scene in which every rail lets pass: seen often and long, by a fresh
// look, on a host that came up long ago.
func clear(door bool) *scene {
	fault := On("service.dead", "nginx")
	b := testBook()
	r := b.Rules["service.dead"]
	r.Door, r.DependsOn = door, nil
	b.Rules["service.dead"] = r
	b.Rules["odd"] = Rule{Code: "odd", Remedies: []string{"service.{subject}"}}
	b.Cures = map[string]remedies.Spec{}
	for _, s := range []string{"nginx", "a", "b", "c", "d", "e"} {
		b.Cures["service."+s] = remedies.Spec{ID: "service." + s, Risk: remedies.Blip, Services: []string{s}}
	}
	m := NewMemory(nil)
	m.Sightings[fault] = Sighting{First: noon.Add(-time.Minute), Began: noon, Last: noon, Looks: 9, Cause: noon.Add(-time.Minute)}
	m.Onsets[fault] = []time.Time{noon.Add(-time.Minute)}
	m.Latest["probe.service.dead"] = probes.Result{Probe: "probe.service.dead", State: probes.Failing, At: noon}
	m.Booted = noon.Add(-time.Hour)
	return &scene{fault: fault, seen: []Ref{fault}, book: b, m: m}
}

func (s *scene) decide() Action {
	for _, a := range Decide(noon, s.book, Diagnose(s.book, failing(s.seen...)), s.m, s.p) {
		if a.Fault == s.fault {
			return a
		}
	}
	return Action{}
}

// past adds attempts of one remedy, one each so long after another, the newest
// so long ago.
func (s *scene) past(fault Ref, remedy string, o Outcome, n int, apart, ago time.Duration) {
	for i := n - 1; i >= 0; i-- {
		at := noon.Add(-ago - time.Duration(i)*apart)
		s.m.Attempts = append(s.m.Attempts, Attempt{Fault: fault, Remedy: remedy, Outcome: o, At: at, Ended: at})
	}
}

type against struct {
	rail, name string
	kind, door Kind // what becomes of it, and of a door
	make       func(*scene)
}

// objections are, for each rail, scenes that it alone objects to.
var objections = []against{
	{"hold", "kill switch", Hold, Hold, func(s *scene) { s.p.Hold = "held" }},
	{"after hold", "seen under a hold", Wait, Wait, func(s *scene) { s.m.Held = noon.Add(time.Millisecond) }},
	{"state directory", "needs a secret", Hold, Hold, func(s *scene) {
		s.p.Forgetful = "the disk is full"
		s.book.Cures["service.nginx"] = remedies.Spec{NeedsSecret: true}
	}},
	{"state directory", "costs much", Hold, Hold, func(s *scene) {
		s.p.Forgetful = "the disk is full"
		s.book.Cures["service.nginx"] = remedies.Spec{Risk: remedies.Outage}
	}},
	{"start-up", "a minute after the boot", Wait, Heal, func(s *scene) { s.m.Booted = noon.Add(-time.Minute) }},
	{"self-suspicion", "most probes are blind", Hold, Heal, func(s *scene) {
		for _, p := range []string{"b", "c", "d", "e"} {
			s.m.Latest[p] = probes.Result{Probe: p, State: probes.Unknown, At: noon}
		}
	}},
	{"self-suspicion", "three faults in a row were not healed", Hold, Heal, func(s *scene) {
		for i, f := range []string{"a", "b", "c"} {
			s.past(On("service.dead", f), "service."+f, Unproved, 1, 0, time.Duration(5-i)*time.Minute)
		}
	}},
	{"storm brake", "five causes", Hold, Heal, func(s *scene) {
		for _, f := range []string{"a", "b", "c", "d", "e"} {
			s.seen = append(s.seen, On("odd", f))
		}
	}},
	{"flapping", "came four times", GaveUp, Heal, func(s *scene) {
		s.m.Onsets[s.fault] = []time.Time{noon.Add(-170 * time.Second), noon.Add(-100 * time.Second), noon.Add(-70 * time.Second), noon.Add(-10 * time.Second)}
	}},
	{"confirmation", "seen once", Wait, Heal, func(s *scene) {
		s.m.Sightings[s.fault] = Sighting{First: noon, Began: noon, Last: noon, Looks: 1, Cause: noon}
	}},
	{"budget", "six attempts", GaveUp, GaveUp, func(s *scene) { s.past(s.fault, "service.nginx", Healed, 6, time.Minute, time.Minute) }},
	{"service budget", "ten restarts of it for other faults", GaveUp, GaveUp, func(s *scene) {
		s.past(On("edge.closed", ""), "service.nginx", Healed, 10, time.Minute, time.Minute)
	}},
	{"host budget", "forty attempts", GaveUp, GaveUp, func(s *scene) {
		s.past(On("cert.copy", ""), "certs.copy", Healed, 40, 30*time.Second, time.Minute)
	}},
	{"back-off", "an attempt did not help", Wait, Wait, func(s *scene) { s.past(s.fault, "service.nginx", Failed, 1, 0, time.Second) }},
	{"back-off", "put off", Wait, Wait, func(s *scene) { s.past(s.fault, "service.nginx", PutOff, 1, 0, time.Second) }},
	{"approval", "mode ask", Asking, Asking, func(s *scene) { s.p.Mode = Ask }},
}

func TestEveryRailObjects(t *testing.T) {
	for _, door := range []bool{false, true} {
		if a := clear(door).decide(); a.Kind != Heal {
			t.Fatalf("nothing speaks against it, door %t, and got %s (%s: %s)", door, a.Kind, a.Rail, a.Reason)
		}
	}
	for _, tt := range objections {
		t.Run(tt.rail+"/"+tt.name, func(t *testing.T) {
			s := clear(false)
			tt.make(s)
			if a := s.decide(); a.Kind != tt.kind || a.Rail != tt.rail {
				t.Errorf("got %s by rail %q (%s), want %s by %q", a.Kind, a.Rail, a.Reason, tt.kind, tt.rail)
			}
			s = clear(true)
			tt.make(s)
			a := s.decide()
			if a.Kind != tt.door || a.Kind != Heal && a.Rail != tt.rail {
				t.Errorf("of a door got %s by rail %q (%s), want %s", a.Kind, a.Rail, a.Reason, tt.door)
			}
			bound := slices.ContainsFunc(Rails(Rule{Door: true}), func(r [2]string) bool { return r[0] == tt.rail })
			if bound != (tt.door != Heal) {
				t.Errorf("explain says that it binds doors: %t", bound)
			}
		})
	}
	for _, r := range rails {
		if !slices.ContainsFunc(objections, func(tt against) bool { return tt.rail == r.name }) {
			t.Errorf("rail %q has no test", r.name)
		}
	}
}

func TestRailsLetPass(t *testing.T) {
	approve := func(s *scene, remedy string, ago time.Duration) {
		s.p.Mode = Ask
		s.p.Approved = map[Ref]Approval{s.fault: {Remedy: remedy, Plan: "abc", At: noon.Add(-ago)}}
	}
	tests := []struct {
		name string
		want Kind
		make func(*scene)
	}{
		{"looked at after the hold", Heal, func(s *scene) { s.m.Held = noon.Add(-time.Second) }},
		{"costs little, while nothing can be written down", Heal, func(s *scene) { s.p.Forgetful = "the disk is full" }},
		{"harmless, a minute after the boot", Heal, func(s *scene) {
			s.m.Booted = noon.Add(-time.Minute)
			s.book.Cures["service.nginx"] = remedies.Spec{Risk: remedies.Harmless}
		}},
		{"all was well since the boot", Heal, func(s *scene) { s.m.Booted, s.m.Ready = noon.Add(-time.Minute), true }},
		{"four minutes after the boot", Heal, func(s *scene) { s.m.Booted = noon.Add(-4 * time.Minute) }},
		{"healed one between three that were not", Heal, func(s *scene) {
			for i, f := range []string{"a", "b", "c"} {
				s.past(On("service.dead", f), "service."+f, Unproved, 1, 0, time.Duration(9-i)*time.Minute)
			}
			s.past(On("service.dead", "d"), "service.d", Healed, 1, 0, time.Minute)
		}},
		{"one fault that is not healed three times", Heal, func(s *scene) {
			s.past(On("service.dead", "a"), "service.a", Unproved, 3, time.Minute, time.Minute)
		}},
		{"four causes", Heal, func(s *scene) {
			for _, f := range []string{"a", "b", "c"} {
				s.seen = append(s.seen, On("odd", f))
			}
		}},
		{"five causes, of which the site only observes two", Heal, func(s *scene) {
			for _, f := range []string{"a", "b", "c", "d"} {
				s.seen = append(s.seen, On("odd", f))
			}
			s.p.Modes = map[probes.Code]Mode{"odd": Observe}
		}},
		{"came four times and stands still", Heal, func(s *scene) {
			s.m.Onsets[s.fault] = []time.Time{noon.Add(-170 * time.Second), noon.Add(-100 * time.Second), noon.Add(-70 * time.Second), noon.Add(-61 * time.Second)}
		}},
		{"six attempts before a person said that it may go on", Heal, func(s *scene) {
			s.past(s.fault, "service.nginx", Healed, 6, time.Minute, time.Minute)
			s.p.Resumed = noon.Add(-time.Second)
		}},
		{"put off many times", Heal, func(s *scene) { s.past(s.fault, "service.nginx", PutOff, 50, 10*time.Second, 10*time.Second) }},
		{"approved", Heal, func(s *scene) { approve(s, "service.nginx", time.Minute) }},
		{"another remedy was approved", Asking, func(s *scene) { approve(s, "service.a", time.Minute) }},
		{"approved too long ago", Asking, func(s *scene) { approve(s, "service.nginx", 61*time.Minute) }},
		{"approved and tried", Asking, func(s *scene) {
			approve(s, "service.nginx", 10*time.Minute)
			s.past(s.fault, "service.nginx", Failed, 1, 0, 5*time.Minute)
		}},
		{"tried and approved again", Heal, func(s *scene) {
			approve(s, "service.nginx", 4*time.Minute)
			s.past(s.fault, "service.nginx", Failed, 1, 0, 5*time.Minute)
		}},
		{"approved, and the plan became another one", Asking, func(s *scene) {
			approve(s, "service.nginx", time.Minute)
			s.past(s.fault, "service.nginx", Outdated, 1, 0, time.Second)
		}},
		{"approved, and put off", Heal, func(s *scene) {
			approve(s, "service.nginx", time.Minute)
			s.past(s.fault, "service.nginx", PutOff, 1, 0, 10*time.Second)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := clear(false)
			tt.make(s)
			a := s.decide()
			if a.Kind != tt.want {
				t.Errorf("got %s by rail %q (%s), want %s", a.Kind, a.Rail, a.Reason, tt.want)
			}
			if wanted := s.p.Mode == Ask && a.Kind == Heal; (a.Plan == "abc") != wanted {
				t.Errorf("the plan's hash is %q, in mode %q", a.Plan, s.p.Mode)
			}
		})
	}
}
