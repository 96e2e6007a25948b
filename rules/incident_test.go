package rules

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
)

// A story is a core and its incidents, told one look after another.
type story struct {
	*Core
	incidents *Incidents
	now       time.Time
	written   map[string]Incident // the newest form of each
	writes    int
}

func newStory(left ...Incident) *story {
	return &story{Core: testCore(), incidents: NewIncidents("idp", noon, left), now: noon, written: map[string]Incident{}}
}

// after lets time pass, shows the core some answers and turns it.
func (s *story) after(d time.Duration, seen ...probes.Result) {
	s.now = s.now.Add(d)
	for _, r := range seen {
		r.At = s.now
		s.See(s.now, r)
	}
	if s.Turn(s.now, Policy{}) {
		s.write(s.incidents.Turn(s.now, s.Core))
	}
}

func (s *story) write(all []Incident) {
	for _, in := range all {
		s.written[in.ID] = in
		s.writes++
	}
}

// heal has the remedy that was decided run for a second, with that outcome.
func (s *story) heal(fault Ref, o Outcome) {
	s.Begin(fault)
	began := s.now
	s.now = s.now.Add(time.Second)
	a := Attempt{Fault: fault, Remedy: "service." + fault.Subject, Outcome: o, At: began, Ended: s.now}
	var healed []Ref
	if o == Healed {
		healed = []Ref{fault}
	}
	s.End(s.now, a, healed, s.now)
	s.write(s.incidents.Tried(a, []Moment{{At: began, What: "restart it"}}))
}

// only is the one incident that was written down.
func (s *story) only(t *testing.T) Incident {
	t.Helper()
	if len(s.written) != 1 {
		t.Fatalf("%d incidents were written down: %+v", len(s.written), s.written)
	}
	for _, in := range s.written {
		return in
	}
	return Incident{}
}

func said(in Incident) []string {
	var out []string
	for _, m := range in.Timeline {
		out = append(out, m.What)
	}
	return out
}

var (
	nginxDead = On("service.dead", "nginx")
	noIssuer  = On("issuer.unreachable", "public")
	notReady  = On("keycloak.not-ready", "database")
)

func TestAnIncidentIsHealed(t *testing.T) {
	s := newStory()
	for range 3 {
		s.after(250*time.Millisecond, found(noon, nginxDead), found(noon, noIssuer), well("keycloak.not-ready", noon), well("postgres.down", noon))
	}
	if s.Actions[0].Kind != Heal {
		t.Fatalf("got %+v", s.Actions)
	}
	s.heal(nginxDead, Healed)
	s.after(0, well("service.dead", noon), well("issuer.unreachable", noon))
	in := s.only(t)
	if in.State != IncidentHealed || in.Cause != nginxDead || in.Host != "idp" || len(in.Attempts) != 1 || len(s.incidents.Open) != 0 {
		t.Errorf("state %s of %s, attempts %+v", in.State, in.Cause, in.Attempts)
	}
	if !in.Onset.Equal(noon.Add(250*time.Millisecond)) || !in.Ended.Equal(noon.Add(1750*time.Millisecond)) {
		t.Errorf("from %s to %s", in.Onset, in.Ended)
	}
	if diff := cmp.Diff([]Ref{noIssuer}, in.Explains); diff != "" {
		t.Errorf("explains (-want +got):\n%s", diff)
	}
	want := []string{
		"service.dead nginx: it is wrong", "explains issuer.unreachable public", "heals by service.nginx",
		"restart it", "healed by service.nginx", "healed after 1.5s",
	}
	if diff := cmp.Diff(want, said(in)); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

func TestAnIncidentThatEndsByItselfIsGone(t *testing.T) {
	s := newStory()
	for range 20 {
		s.after(250*time.Millisecond, found(noon, On("postgres.down", ""))) // it has no remedy
	}
	s.after(time.Second, well("postgres.down", noon))
	if in := s.only(t); in.State != IncidentGone || in.Ended.IsZero() {
		t.Errorf("state %s, timeline %q", in.State, said(in))
	}
}

func TestABlinkIsNotWrittenDown(t *testing.T) {
	s := newStory()
	s.after(time.Second, found(noon, nginxDead))
	s.after(250*time.Millisecond, well("service.dead", noon))
	if len(s.written) != 0 {
		t.Errorf("written down: %+v", s.written)
	}
}

// An incident whose cause turns out to be a symptom ends, and the deeper cause
// has one of its own.
func TestAnIncidentIsMergedIntoADeeperCause(t *testing.T) {
	s := newStory()
	s.after(time.Second, found(noon, notReady), well("service.dead", noon), well("postgres.down", noon))
	s.after(time.Second, found(noon, notReady), well("service.dead", noon), well("postgres.down", noon))
	s.heal(notReady, Unproved)
	s.after(time.Second, found(noon, On("postgres.down", "")))
	if len(s.written) != 2 || len(s.incidents.Open) != 1 || s.incidents.Open[0].Cause.Code != "postgres.down" {
		t.Fatalf("written down %+v", s.written)
	}
	for _, in := range s.written {
		switch in.Cause {
		case notReady:
			if in.State != IncidentMerged || !slices.Contains(said(in), "is a symptom of postgres.down") {
				t.Errorf("the symptom's is %s: %q", in.State, said(in))
			}
		default:
			if in.State != IncidentOpen || !slices.Contains(in.Explains, notReady) {
				t.Errorf("the cause's is %s and explains %v", in.State, in.Explains)
			}
		}
	}
}

func TestAnIncidentComesBack(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{30 * time.Second, 1}, {2 * time.Minute, 2}} {
		s := newStory()
		for range 3 {
			s.after(250*time.Millisecond, found(noon, nginxDead))
		}
		s.heal(nginxDead, Healed)
		s.after(0, well("service.dead", noon))
		s.after(tt.after, well("cert.copy", noon), found(noon, On("door.open", ""))) // something makes it turn
		s.after(time.Second, well("door.open", noon))
		for range 9 {
			s.after(250*time.Millisecond, found(noon, nginxDead))
		}
		n := 0
		for _, in := range s.written {
			if in.Cause != nginxDead {
				continue
			}
			n++
			back := slices.Contains(said(in), "it is back")
			if tt.want == 1 && (in.State != IncidentOpen || !in.Ended.IsZero() || !back) {
				t.Errorf("back after %s: state %s, timeline %q", tt.after, in.State, said(in))
			}
			if tt.want == 2 && back {
				t.Errorf("back after %s: timeline %q", tt.after, said(in))
			}
		}
		if n != tt.want {
			t.Errorf("back after %s: %d incidents, want %d", tt.after, n, tt.want)
		}
	}
}

// What a healed cause was to explain and is still there is the next hypothesis
// of the same incident.
func TestTheNextHypothesisIsTheSameIncident(t *testing.T) {
	s := newStory()
	for range 3 {
		s.after(250*time.Millisecond, found(noon, nginxDead), found(noon, noIssuer), well("keycloak.not-ready", noon), well("postgres.down", noon))
	}
	s.heal(nginxDead, Healed)
	s.after(250*time.Millisecond, well("service.dead", noon), found(noon, noIssuer))
	in := s.only(t)
	if in.State != IncidentOpen || in.Cause != noIssuer || len(in.Attempts) != 1 {
		t.Errorf("state %s of %s, attempts %+v", in.State, in.Cause, in.Attempts)
	}
	if want := "service.dead nginx is gone and issuer.unreachable public is not: that is the cause now"; !slices.Contains(said(in), want) {
		t.Errorf("timeline %q", said(in))
	}
	s.after(time.Second, well("issuer.unreachable", noon))
	if in := s.only(t); in.State == IncidentOpen || len(s.incidents.Open) != 0 {
		t.Errorf("state %s at the end", in.State)
	}
}

func TestWhatAnEarlierRunLeftOpenGoesOnOrIsGone(t *testing.T) {
	left := Incident{ID: "1-service.dead", Cause: nginxDead, Onset: noon.Add(-time.Minute), State: IncidentOpen}
	s := newStory(left)
	if len(s.incidents.Recent) != 1 || s.incidents.Recent[0].State != IncidentGone || s.incidents.Recent[0].Ended.IsZero() {
		t.Fatalf("left open, and not ended by the start: %+v", s.incidents.Recent)
	}
	for range 3 {
		s.after(250*time.Millisecond, found(noon, nginxDead))
	}
	if in := s.only(t); in.ID != left.ID || in.State != IncidentOpen {
		t.Errorf("got %s, %s", in.ID, in.State)
	}
}

func TestAPutOffAttemptIsNone(t *testing.T) {
	s := newStory()
	for range 3 {
		s.after(250*time.Millisecond, found(noon, nginxDead))
	}
	s.heal(nginxDead, PutOff)
	if in := s.only(t); len(in.Attempts) != 0 || !slices.Contains(said(in), "put off by service.nginx") {
		t.Errorf("attempts %+v, timeline %q", in.Attempts, said(in))
	}
}

func TestATimelineIsBounded(t *testing.T) {
	var in Incident
	for range 10 * timelineMost {
		in.note(noon, "again")
	}
	in.note(noon, "the end")
	if len(in.Timeline) != timelineMost || said(in)[timelineMost-1] != "the end" {
		t.Errorf("%d lines, the last %q", len(in.Timeline), said(in)[len(in.Timeline)-1])
	}
}
