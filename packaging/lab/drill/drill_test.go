package drill

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/packaging/lab"
	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/scenarios"
)

func TestReadVerb(t *testing.T) {
	for _, line := range []string{
		"dns set idp A 192.0.2.1", "dns set idp.breathtechnology.co.uk AAAA 2001:db8::1 2001:db8::2", "dns unset idp", "dns unset idp AAAA",
		"dns mode timeout", "net cut idp", "net cut idp --port 53", "net join", "net join idp", "net pull idp", "net plug idp",
		"exec homer -- ip -6 address add 2001:db8::1/64 dev eth0",
	} {
		if _, err := readVerb(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		"", "dns", "dns set idp A", "dns unset", "dns unset idp A AAAA", "dns mode slow", "net cut", "net cut idp --port",
		"net cut idp --port http", "net cut idp 53 80", "net pull", "exec homer true", "exec homer --", "lab dns mode normal", "down",
	} {
		if _, err := readVerb(line); err == nil {
			t.Errorf("%q: accepted", line)
		}
	}
}

// TestScenariosVerbs holds the book's scenarios to the verbs that there are: the
// package that reads them does not know the lab.
func TestScenariosVerbs(t *testing.T) {
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, line := range slices.Concat(s.Outside, s.OutsideFix) {
			if _, err := readVerb(line); err != nil {
				t.Errorf("%s: %q: %v", s.ID, line, err)
			}
		}
	}
}

var (
	noon    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	stopped = rules.On("service.stopped", "nginx")
	taken   = rules.On("listener.taken", "443")
)

// attempt is made so many seconds after noon, and takes one.
func attempt(fault rules.Ref, after int, o rules.Outcome) rules.Attempt {
	at := noon.Add(time.Duration(after) * time.Second)
	return rules.Attempt{Fault: fault, Remedy: "r", Seen: at.Add(-time.Second), At: at, Ended: at.Add(time.Second), Outcome: o, Detail: "d"}
}

func TestJudge(t *testing.T) {
	healed, failed := attempt(stopped, 10, rules.Healed), attempt(stopped, 5, rules.Unproved)
	other := attempt(rules.On("edge.refused", ""), 7, rules.Healed)
	for _, c := range []struct {
		name     string
		mode     scenarios.Mode
		acts     scenarios.Range
		attempts []rules.Attempt
		want     []string
	}{
		{"one", scenarios.Heal, scenarios.Range{Least: 1, Most: 1}, []rules.Attempt{healed}, nil},
		{"none", scenarios.Heal, scenarios.Range{Least: 1, Most: 1}, nil, []string{"0 attempts, want 1"}},
		{"none is right", scenarios.Heal, scenarios.Range{}, nil, nil},
		{"it did not help", scenarios.Heal, scenarios.Range{Least: 1, Most: 1}, []rules.Attempt{failed}, []string{"an attempt by r unproved: d"}},
		{"the second helped", scenarios.Heal, scenarios.Range{Least: 1, Most: 1}, []rules.Attempt{failed, healed},
			[]string{"2 attempts, want 1", "an attempt by r unproved: d"}},
		{"the second helped, and may", scenarios.Heal, scenarios.Range{Least: 1, Most: 2}, []rules.Attempt{failed, healed}, nil},
		{"the last did not help", scenarios.Heal, scenarios.Range{Least: 1, Most: 2}, []rules.Attempt{healed, failed}, []string{"an attempt by r unproved: d"}},
		{"one too many", scenarios.Heal, scenarios.Range{Least: 1, Most: 2}, []rules.Attempt{healed, healed, healed}, []string{"3 attempts, want 1 to 2"}},
		{"another fault", scenarios.Heal, scenarios.Range{Least: 2, Most: 2}, []rules.Attempt{other, healed}, []string{"acted on edge.refused (r, healed)"}},
		{"a symptom of what was in the way", scenarios.Release, scenarios.Range{Least: 1, Most: 1}, []rules.Attempt{other}, nil},
		{"a symptom of what is healed", scenarios.Heal, scenarios.Range{Least: 1, Most: 1}, []rules.Attempt{other}, []string{"acted on edge.refused (r, healed)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pass{
				Scenario: scenarios.Scenario{Cause: rules.On("service.stopped", ""), Mode: c.mode, Acts: c.acts},
				score:    &Score{}, explained: []rules.Ref{other.Fault},
			}
			p.judge(c.attempts)
			if diff := cmp.Diff(c.want, p.score.Wrong); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestJudgeTimes measures a release from the moment of it, and a healing from
// the break.
func TestJudgeTimes(t *testing.T) {
	p := &pass{Scenario: scenarios.Scenario{Cause: stopped, Mode: scenarios.Heal}, score: &Score{}, broken: noon}
	p.judge([]rules.Attempt{attempt(stopped, 3, rules.Unproved), attempt(stopped, 6, rules.Healed)})
	if s := p.score; s.Detect != 2 || s.Confirm != 1 || s.Heal != 4 {
		t.Errorf("healed: detect %v, confirm %v, heal %v, want 2, 1, 4", s.Detect, s.Confirm, s.Heal)
	}
	p = &pass{Scenario: scenarios.Scenario{Cause: stopped, Mode: scenarios.Release}, score: &Score{Detect: 1}, broken: noon, from: noon.Add(20 * time.Second), acts: 1}
	p.judge([]rules.Attempt{attempt(stopped, 3, rules.Healed), attempt(stopped, 25, rules.Healed)})
	if s := p.score; s.Detect != 1 || s.Confirm != 5 || s.Heal != 1 {
		t.Errorf("released: detect %v, confirm %v, heal %v, want 1, 5, 1", s.Detect, s.Confirm, s.Heal)
	}
}

func snapshot(kind rules.Kind, verdict rules.Verdict, until time.Time) engine.Snapshot {
	return engine.Snapshot{At: noon, State: "failing", Faults: []engine.FaultState{
		{Fault: stopped, Verdict: rules.Symptom, Action: rules.Action{Kind: rules.Follow}},
		{Fault: taken, Verdict: verdict, Action: rules.Action{Kind: kind, Until: until}},
	}}
}

func TestStandsIn(t *testing.T) {
	for _, c := range []struct {
		kind    rules.Kind
		verdict rules.Verdict
		wants   rules.Kind
		want    bool
	}{
		{rules.Report, rules.Cause, rules.Report, true},
		{rules.Wait, rules.Cause, rules.Report, false}, // it would act in a moment
		{rules.Heal, rules.Cause, rules.Report, false},
		{rules.GaveUp, rules.Cause, rules.GaveUp, true},
		{rules.Asking, rules.Cause, rules.Asking, true},
		{rules.Report, rules.Undecided, rules.Report, false},
	} {
		p := &pass{Scenario: scenarios.Scenario{Cause: taken, Action: c.wants}}
		if _, got := p.standsIn(snapshot(c.kind, c.verdict, time.Time{})); got != c.want {
			t.Errorf("%s of %s for %s: %v", c.verdict, c.kind, c.wants, got)
		}
	}
	p := &pass{Scenario: scenarios.Scenario{Cause: stopped, Action: rules.Follow}}
	if _, ok := p.standsIn(snapshot(rules.Report, rules.Cause, time.Time{})); ok {
		t.Error("a symptom passes for a cause")
	}
}

func TestWaitsForPerson(t *testing.T) {
	busy := snapshot(rules.Report, rules.Cause, time.Time{})
	busy.Healing = &rules.Attempt{}
	for name, c := range map[string]struct {
		snap engine.Snapshot
		want bool
	}{
		"reported":                     {snapshot(rules.Report, rules.Cause, time.Time{}), true},
		"gave up for ever":             {snapshot(rules.GaveUp, rules.Cause, time.Time{}), true},
		"gave up for a quarter":        {snapshot(rules.GaveUp, rules.Cause, noon.Add(15*time.Minute)), true},
		"gave up for a minute":         {snapshot(rules.GaveUp, rules.Cause, noon.Add(time.Minute)), false},
		"backs off":                    {snapshot(rules.Wait, rules.Cause, noon.Add(15*time.Minute)), false},
		"a remedy at work":             {busy, false},
		"all is well, nothing to wait": {engine.Snapshot{State: "ok"}, false},
	} {
		if got := waitsForPerson(c.snap); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestActedBeyond(t *testing.T) {
	healing := attempt(taken, 4, rules.Attempting)
	other := attempt(stopped, 4, rules.Healed)
	for name, c := range map[string]struct {
		snap engine.Snapshot
		most int
		want bool
	}{
		"nothing":                {engine.Snapshot{}, 0, false},
		"before the break":       {engine.Snapshot{Recent: []rules.Attempt{attempt(taken, -4, rules.Healed)}}, 0, false},
		"at it":                  {engine.Snapshot{Healing: &healing}, 0, true},
		"as many as it may":      {engine.Snapshot{Recent: []rules.Attempt{attempt(taken, 1, rules.Healed)}, Healing: &healing}, 2, false},
		"one more than it may":   {engine.Snapshot{Recent: []rules.Attempt{attempt(taken, 1, rules.Healed)}, Healing: &healing}, 1, true},
		"against something else": {engine.Snapshot{Recent: []rules.Attempt{other}}, 3, true},
	} {
		p := &pass{Scenario: scenarios.Scenario{Cause: taken}, score: &Score{}, start: noon}
		if got := p.actedBeyond(c.snap, c.most); got != c.want || got == p.score.Passed() {
			t.Errorf("%s: %v, wrong %q", name, got, p.score.Wrong)
		}
	}
}

func TestRecordBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drills.jsonl")
	// with opens the file, as one run of drills does.
	with := func(programs string, do func(b *recordBook)) {
		t.Helper()
		b, err := openBook(path, programs)
		if err != nil {
			t.Fatal(err)
		}
		do(b)
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
	add := func(b *recordBook, scores ...Score) {
		for _, s := range scores {
			if err := b.add(s); err != nil {
				t.Error(err)
			}
		}
	}
	with("one", func(b *recordBook) {
		add(b, Score{ID: "passed", Heal: 1.5}, Score{ID: "failed", Wrong: []string{"x"}}, Score{ID: "not-run", NotRun: "x"},
			Score{ID: "worse"}, Score{ID: "worse", Wrong: []string{"x"}}, Score{ID: "better", NotRun: "x"}, Score{ID: "better"})
		if _, err := openBook(path, "one"); !errors.As(err, new(*lab.Refusal)) {
			t.Errorf("a second run at the same time: %v", err)
		}
		if _, err := b.f.WriteString(`{"programs":"one","score":{"id":"cut`); err != nil {
			t.Error(err)
		}
	})
	with("one", func(b *recordBook) { add(b, Score{ID: "after"}, Score{ID: "again"}) })
	with("one", func(b *recordBook) {
		for id, want := range map[string]bool{
			"passed": true, "failed": false, "not-run": false, "worse": false, "better": true,
			"cut": false, "never": false, "after": true, "again": true,
		} {
			if _, got := b.passed(id); got != want {
				t.Errorf("%s: passed %v", id, got)
			}
		}
		if s, _ := b.passed("passed"); s.Heal != 1.5 {
			t.Errorf("its score is %+v", s)
		}
	})
	with("other", func(b *recordBook) {
		if _, ok := b.passed("passed"); ok {
			t.Error("another program's score is taken over")
		}
	})
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	err := Print(&b, []Score{
		{ID: "a", Mode: scenarios.Heal, Named: []string{"x.y z"}, Detect: 1, Confirm: 2, Heal: 3, Bare: 4},
		{ID: "b", Mode: scenarios.Report, Named: []string{"x.y"}, Detect: 1, Bare: 4, Collateral: []string{"nginx"}, Wrong: []string{"one", "two"}},
		{ID: "c", Mode: scenarios.Release, Named: []string{"x.y"}, Detect: 1, Confirm: 2, Heal: 3},
		{ID: "d", Mode: scenarios.Heal, NotRun: "idp is\noff"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `drill  mode     cause named  detect  confirm  heal    bare fix  bound   collateral  result
a      heal     x.y z        1.00 s  2.00 s   3.00 s  4.00 s    5.40 s  none        passed
b      report   x.y          1.00 s  –        –       4.00 s    –       nginx       failed: one; two
c      release  x.y          1.00 s  2.00 s   3.00 s  –         –       none        passed
d      heal     none         –       –        –       –         –       none        could not be run: idp is off
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
