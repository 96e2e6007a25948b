package scenarios

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/rules"
)

// TestScenarios holds every scenario to the book, and the book to its scenarios.
func TestScenarios(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]rules.Rule{}
	for _, r := range rules.Table() {
		rows[string(r.Code)] = r
	}
	for _, s := range all {
		r, ok := rows[string(s.Cause.Code)]
		if !ok {
			t.Errorf("%s: wants %s, which has no row", s.ID, s.Cause)
		}
		if len(r.Remedies) == 0 && (s.Mode == Heal || s.Mode == Ask) {
			t.Errorf("%s: is to be healed, and %s has no remedy", s.ID, s.Cause)
		}
		for _, then := range s.Then {
			if len(rows[string(then.Code)].Remedies) == 0 {
				t.Errorf("%s: %s is to be healed next, and has no remedy", s.ID, then)
			}
		}
		if s.Besides.Code != "" && len(rows[string(s.Besides.Code)].Remedies) == 0 {
			t.Errorf("%s: %s is to be healed meanwhile, and has no remedy", s.ID, s.Besides)
		}
		if len(s.Prose) < 20 {
			t.Errorf("%s: says nothing for people", s.ID)
		}
	}
}

// text is a scenario with some more lines in its want.
func text(more string) []byte {
	return []byte("prose\n-- want --\nhost: idp\ncause: a.b c\n" + more + "-- break --\nx\n-- fix --\nx\n-- ready --\nx\n-- free --\nx\n")
}

func TestParseWant(t *testing.T) {
	for more, want := range map[string]Scenario{
		"":                           {Mode: Heal, Acts: Range{1, 1}},
		"mode: ask\n":                {Mode: Ask, Acts: Range{1, 1}, Action: rules.Asking},
		"mode: report\n":             {Mode: Report, Action: rules.Report},
		"mode: release\nacts: 0-1\n": {Mode: Release, Acts: Range{0, 1}, Action: rules.Report},
		"acts: 1-6\nmode: report\naction: gave up\n": {Mode: Report, Acts: Range{1, 6}, Action: rules.GaveUp},
		"acts: 3\nengine: restarts\n":                {Mode: Heal, Acts: Range{3, 3}, EngineRestarts: true},
		"says: pid $(cat /run/x): y\nsays: z\n":      {Mode: Heal, Acts: Range{1, 1}, Says: []string{"pid $(cat /run/x): y", "z"}},
		"restarts: nginx keycloak\n":                 {Mode: Heal, Acts: Range{1, 1}, Restarts: []string{"nginx", "keycloak"}},
	} {
		got, err := Parse("x", text(more))
		if err != nil {
			t.Errorf("%q: %v", more, err)
			continue
		}
		want.ID, want.Prose, want.Host, want.Cause = "x", "prose", "idp", rules.On("a.b", "c")
		want.Break, want.Fix, want.Ready, want.Free = "x\n", "x\n", "x\n", "x\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", more, diff)
		}
	}
}

func TestParseRefusesWant(t *testing.T) {
	for _, more := range []string{
		"acts: many\n", "acts: 3-1\n", "acts: -1\n", "acts: 1-\n", "acts:\n", "engine: dies\n", "mode: report\naction: pray\n",
		"action: gave up\n", "says:\n", "mode: ask\nmode: report\n", "colour: red\n", "no key\n",
	} {
		if s, err := Parse("x", text(more)); err == nil {
			t.Errorf("%q: accepted as %+v", more, s)
		}
	}
}

func TestThen(t *testing.T) {
	s, err := Parse("x", []byte("prose\n-- want --\nhost: idp\ncause: a.b\nthen: c.d x y\nthen: e.f\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n"))
	if err != nil || len(s.Then) != 2 || s.Then[0] != rules.On("c.d", "x y") || s.Acts != (Range{3, 3}) {
		t.Errorf("read %+v, %v", s, err)
	}
}

func TestMeanwhile(t *testing.T) {
	const good = "prose\n-- want --\nhost: idp\ncause: a.b\nmode: report\nmeanwhile: c.d x\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n-- meanwhile --\ny\n"
	s, err := Parse("x", []byte(good))
	if err != nil || s.Besides != rules.On("c.d", "x") || s.Meanwhile != "y\n" {
		t.Errorf("read %+v, %v", s, err)
	}
	for _, cut := range []string{"mode: report\n", "meanwhile: c.d x\n", "-- meanwhile --\ny\n"} {
		if _, err := Parse("x", []byte(strings.Replace(good, cut, "", 1))); err == nil {
			t.Errorf("accepted without %q", cut)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "prose\n-- want --\nhost: idp\ncause: a.b\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n"
	if _, err := Parse("good", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no break":      "prose\n-- want --\nhost: idp\ncause: a.b\n-- fix --\nx\n-- ready --\nx\n",
		"no cause":      "prose\n-- want --\nhost: idp\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n",
		"unknown file":  good + "-- brake --\nx\n",
		"unknown mode":  "prose\n-- want --\nhost: idp\ncause: a.b\nmode: pray\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n",
		"nothing freed": "prose\n-- want --\nhost: idp\ncause: a.b\nmode: release\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n",
		"unknown key":   "prose\n-- want --\nhost: idp\ncause: a.b\ncolour: red\n-- break --\nx\n-- fix --\nx\n-- ready --\nx\n",
	} {
		if _, err := Parse(name, []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
