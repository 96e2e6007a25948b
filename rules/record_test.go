package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"watchdog/probes"
	"watchdog/remedies"
)

// eventful is a memory with something in each of its parts.
func eventful() Memory {
	m := NewMemory([]Attempt{{Fault: nginxDead, Remedy: "service.nginx", Rung: 1, Seen: noon, At: noon, Ended: noon.Add(time.Second), Outcome: Unproved, Detail: "the fault stayed", Explains: []Ref{noIssuer}}})
	b := testBook()
	m.See(noon, &b, found(noon, nginxDead, On("service.dead", "a b c")))
	m.See(noon, &b, probes.Result{Probe: "probe.cert.copy", State: probes.Unknown, Err: errors.New("no answer"), At: noon, Took: time.Second})
	m.Healed[noIssuer], m.Held, m.Holding, m.Worked, m.Booted, m.Ready = noon, noon, true, noon, noon.Add(-time.Hour), true
	m.Healing = &nginxDead
	m.stand(noon, Diagnose(b, failing(nginxDead)))
	return m
}

func TestAMemoryOutlivesBeingWrittenDown(t *testing.T) {
	m := eventful()
	data, err := json.Marshal(m.Base())
	if err != nil {
		t.Fatal(err)
	}
	var back Base
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })}
	if diff := cmp.Diff(m, back.memory(), same); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

// What comes after does not change what was written down.
func TestABaseStandsByItself(t *testing.T) {
	m := eventful()
	base := m.Base()
	before, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	b := testBook()
	for i := range 9 {
		at := noon.Add(time.Duration(i) * time.Second)
		m.See(at, &b, found(at, nginxDead))
		m.See(at, &b, well("service.dead", at))
		m.tried(at, Attempt{Fault: noIssuer, Outcome: PutOff, At: at})
	}
	m.Healing = nil
	after, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}

func TestRefsAreReadAsTheyAreWritten(t *testing.T) {
	for _, ref := range []Ref{nginxDead, On("postgres.down", ""), On("host.disk-full", "/var/lib/a b")} {
		if got := ParseRef(ref.String()); got != ref {
			t.Errorf("%q is read as %+v", ref, got)
		}
	}
}

func TestAPolicyOutlivesBeingWrittenDown(t *testing.T) {
	p := Policy{
		Mode: Ask, Modes: map[probes.Code]Mode{"a.b": Observe}, Hold: "held", Forgetful: "full", Resumed: noon,
		Approved: map[Ref]Approval{nginxDead: {Remedy: "service.nginx", Plan: "abc", At: noon}},
	}
	if diff := cmp.Diff(p, p.Record().policy()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

// small is a recording of two lines, in JSON of several.
const small = `{
 "schema": 1, "id": "x", "host": "idp", "started": "2026-01-02T12:00:00Z",
 "order": ["probe.service.dead"], "tells": {"service.dead": ["probe.service.dead"]}, "calm": {},
 "cures": {"service.nginx": {"ID": "service.nginx", "Risk": "blip"}},
 "base": {"sightings": {}, "onsets": {}, "healed": {}, "latest": [], "attempts": [], "ready": true},
 "lines": [
  {"at": "2026-01-02T12:00:00Z", "look": {"probe": "probe.service.dead", "state": "failing", "at": "2026-01-02T12:00:00Z", "took": 1,
    "findings": [{"code": "service.dead", "subject": "nginx", "summary": "", "evidence": null}]}},
  {"at": "2026-01-02T12:00:00Z", "turn": {"changed": true, "decided": []}}
 ]
}`

func TestABadRecordingIsToldWithItsPlace(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", "1:1: unexpected end"},
		{"no JSON", "site:\n  a: b", "1:1: invalid character"},
		{"cut off", small[:len(small)-20], "9:59: unexpected end"},
		{"another version", strings.Replace(small, `"schema": 1`, `"schema": 2`, 1), "schema 2, this version reads 1"},
		{"something else's JSON", `{"schema": 1, "causes": []}`, "when it was started"},
		{"a comma too many", strings.Replace(small, `"latest": [],`, `"latest": [],,`, 1), "5:69: invalid character ','"},
		{"a wrong type", strings.Replace(small, `"took": 1,`, `"took": "long",`, 1), "7:"},
		{"no time", strings.Replace(small, `{"at": "2026-01-02T12:00:00Z", "turn"`, `{"at": "noon", "turn"`, 1), "9:3: parsing time"},
		{"no time of its start", strings.Replace(small, `"started": "2026-01-02T12:00:00Z"`, `"started": "noon"`, 1), "2:52: parsing time"},
		{"no such risk", strings.Replace(small, `"blip"`, `"great"`, 1), "4:11: no risk \"great\""},
		{"a look that is none", strings.Replace(small, `"latest": []`, `"latest": [null]`, 1), "5:10: a look is missing"},
		{"a line of two things", strings.Replace(small, `"turn"`, `"begin": {"code": "a"}, "turn"`, 1), "9:3: a line of 2 things"},
		{"an empty line", strings.Replace(small, `"turn"`, `"return"`, 1), "9:3: a line of 0 things"},
		{"more after it", small + "{}", "11:2: invalid character '{'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseRecording([]byte(tt.data))
			var place *PlaceError
			if !errors.As(err, &place) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	rec, err := ParseRecording([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Cures["service.nginx"].Risk != remedies.Blip {
		t.Errorf("cures %+v", rec.Cures)
	}
	all := Replay(testTable, rec)
	if len(all) != 1 || !all[0].Different || len(all[0].Is) != 1 || all[0].Is[0].Kind != Wait {
		t.Errorf("replayed: %+v", all)
	}
}

// FuzzReplay feeds what is hardly a recording to the reader and to the core.
func FuzzReplay(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(strings.Replace(small, `"turn": {"changed": true, "decided": []}`, `"begin": {"code": "service.dead", "subject": "nginx"}`, 1)))
	f.Add([]byte(strings.Replace(small, `"turn": {"changed": true`, `"end": {"attempt": {"fault": {"code": "x"}}}, "x": {"a": true`, 1)))
	f.Add([]byte(strings.Replace(small, `"attempts": []`, `"attempts": [{"outcome": "healed"}], "healing": {"code": "x"}`, 1)))
	f.Add([]byte("{"))
	table := Table()
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := ParseRecording(data)
		if err != nil {
			var place *PlaceError
			if !errors.As(err, &place) || place.Line < 1 || place.Column < 1 {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		for _, m := range Replay(table, rec) {
			if m.Was == nil || m.Is == nil {
				t.Fatalf("a list that is none: %+v", m)
			}
		}
	})
}
