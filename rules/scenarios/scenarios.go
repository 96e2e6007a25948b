// Package scenarios holds one file per fault of the book: how to break a
// healthy host in just this way, what the program must say of it, and how a
// person would mend it. The lab rehearses them, and their prose is the fault's
// entry in the reference.
//
// A scenario is a txtar archive. Its comment is prose for a person; its files
// are:
//
//	want   key: value lines, see below
//	before brings the host to where the fault can befall it, well as it is, under
//	       the kill switch; left out as a rule
//	break  a shell script that breaks the host, run as root inside it; the
//	       engine is stopped meanwhile, for 20 seconds at most
//	settle waits until the fault is all there is to see, where breaking takes a
//	       while; left out where it does not
//	fix    what a person would type: the bare fix that healing is timed against
//	ready  a shell script that succeeds when users are served again
//	after  takes away what a drill leaves on purpose, when it is over
//	free   ends what keeps the program from healing: for mode release
//	meanwhile
//	       breaks something else while the cause stands, in mode report: that is
//	       to be healed all the same
//	outside, outside-fix
//	       lab verbs, one a line, for what breaks outside of the host: "dns set
//	       idp A 192.0.2.1", "dns unset idp AAAA", "dns mode timeout", "net cut
//	       idp --port 53", "net join|pull|plug|claim|yield idp", "exec homer -- COMMAND".
//	       outside is run after break, outside-fix before fix and after free
//
// The keys of want:
//
//	host: NAME            the host that is broken
//	cause: CODE [SUBJECT] the one cause that has to be named
//	mode: heal|report|ask|release
//	                      what is held to, see [Mode]; heal when left out
//	says: TEXT            what diagnose has to say of the cause, in its summary,
//	                      evidence or fix, or status of what is done about it;
//	                      $(COMMAND) in it is what the host's shell makes of it
//	meanwhile: CODE [SUBJECT]
//	                      the fault that the file meanwhile makes
//	restarts: SERVICE…    the services that the row lets be restarted
//	changes: PATH…        below which files may be otherwise than before
//	then: CODE [SUBJECT]  what the cause explains and does not end with it: healed
//	                      next, by an attempt of its own
//	acts: N, acts: N-M    how many attempts are right: when left out one for the
//	                      cause and one for each then, in mode report 0. Of
//	                      several, the last one has to heal
//	action: KIND          what the engine has to have come to where a person is
//	                      waited for: ask in mode ask, report in the others when
//	                      left out. Before it has given up ("gave up") it will have
//	                      acted, on a fault that came back each time
//	needs: drill build    what is broken is made up by code that only programs
//	                      built with -tags drill have; on others the drill can't
//	                      be run, and says so
//	engine: restarts      the engine itself may end and be started again: it is
//	                      not stopped for break, which may kill it
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"watchdog/probes"
	"watchdog/rules"
)

//go:embed *.txtar
var files embed.FS

// A Scenario is one drill.
type Scenario struct {
	ID    string // the file's name: "kc-killed"
	Prose string
	Host  string    // the host it breaks: "idp"
	Cause rules.Ref // the one cause that has to be named ("cause: CODE SUBJECT")
	// Then lists what is healed after the cause: it does not end with it.
	Then []rules.Ref
	// Restarts lists the services that healing may restart; all others keep
	// running as they are.
	Restarts []string
	// Changes lists paths that healing may leave otherwise than they were.
	Changes []string
	Mode    Mode
	// Says lists what diagnose has to say of the cause, in its evidence or in
	// its fix: a port's holder, the record to publish.
	Says []string
	// Acts is how many attempts the engine may make.
	Acts Range
	// Action is what the engine has to come to by itself, in a mode that waits
	// for a person.
	Action rules.Kind
	// DrillBuild says that the program in the host has to be built for drills.
	DrillBuild bool
	// EngineRestarts says that the engine itself may end and be started again.
	EngineRestarts bool

	// Besides is another fault, that Meanwhile makes: it is to be healed while the
	// cause stands.
	Besides rules.Ref

	Before, Break, Settle, Fix, Ready, Free, Meanwhile, After string
	// Outside and OutsideFix are lab verbs.
	Outside, OutsideFix []string
}

// Mode is what the program is held to.
type Mode string

// A Range is a number of attempts, with both ends.
type Range struct{ Least, Most int }

// Modes of a drill. Heal: the cause is healed without a person. Report: it is
// named and nothing is tried; the person's fix ends it. Ask: nothing is tried
// before it is approved. Release: it is reported until what stands in the way is
// gone, and then healed.
const (
	Heal    Mode = "heal"
	Report  Mode = "report"
	Ask     Mode = "ask"
	Release Mode = "release"
)

// All returns every scenario, by ID.
func All() ([]Scenario, error) {
	names, err := fs.Glob(files, "*.txtar")
	if err != nil {
		return nil, err
	}
	var out []Scenario
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(path.Base(name), ".txtar"), data)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Parse reads one scenario.
func Parse(id string, data []byte) (Scenario, error) {
	ar := txtar.Parse(data)
	s := Scenario{ID: id, Prose: strings.TrimSpace(string(ar.Comment)), Mode: Heal}
	parts := map[string]*string{"before": &s.Before, "break": &s.Break, "settle": &s.Settle, "fix": &s.Fix, "ready": &s.Ready, "free": &s.Free, "meanwhile": &s.Meanwhile, "after": &s.After}
	verbs := map[string]*[]string{"outside": &s.Outside, "outside-fix": &s.OutsideFix}
	want := ""
	for _, f := range ar.Files {
		text := string(f.Data)
		if f.Name == "want" {
			want = text
			continue
		}
		if v := verbs[f.Name]; v != nil {
			*v = strings.Split(strings.TrimSpace(text), "\n")
			continue
		}
		part := parts[f.Name]
		if part == nil {
			return s, fmt.Errorf("scenario %s: unknown file %q", id, f.Name)
		}
		*part = text
	}
	if err := s.want(want); err != nil {
		return s, fmt.Errorf("scenario %s: %w", id, err)
	}
	return s, s.complete()
}

// complete reports what a scenario lacks.
func (s Scenario) complete() error {
	for name, missing := range map[string]bool{
		"break or outside":    blank(s.Break) && len(s.Outside) == 0,
		"fix or outside-fix":  blank(s.Fix) && len(s.OutsideFix) == 0,
		"ready":               blank(s.Ready),
		"free or outside-fix": s.Mode == Release && blank(s.Free) && len(s.OutsideFix) == 0,
		"meanwhile, file and key, in mode report": blank(s.Meanwhile) != (s.Besides.Code == "") || !blank(s.Meanwhile) && s.Mode != Report,
	} {
		if missing {
			return fmt.Errorf("scenario %s: no %s", s.ID, name)
		}
	}
	return nil
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

func (s *Scenario) want(text string) error {
	keys := map[string]func(value string) bool{
		"host":      func(v string) bool { s.Host = v; return v != "" },
		"cause":     func(v string) bool { s.Cause = ref(v); return s.Cause.Code != "" },
		"then":      func(v string) bool { s.Then = append(s.Then, ref(v)); return v != "" },
		"meanwhile": func(v string) bool { s.Besides = ref(v); return v != "" },
		"restarts":  func(v string) bool { s.Restarts = strings.Fields(v); return true },
		"changes":   func(v string) bool { s.Changes = strings.Fields(v); return true },
		"mode": func(v string) bool {
			s.Mode = Mode(v)
			return slices.Contains([]Mode{Heal, Report, Ask, Release}, s.Mode)
		},
		"says":   func(v string) bool { s.Says = append(s.Says, v); return v != "" },
		"acts":   func(v string) (ok bool) { s.Acts, ok = readRange(v); return ok },
		"action": func(v string) bool { s.Action = rules.Kind(v); return slices.Contains(waiting, s.Action) },
		"needs":  func(v string) bool { s.DrillBuild = true; return v == "drill build" },
		"engine": func(v string) bool { s.EngineRestarts = true; return v == "restarts" },
	}
	given := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		read := keys[key]
		if read == nil || given[key] && key != "says" && key != "then" || !read(strings.TrimSpace(value)) {
			return fmt.Errorf("want: cannot read %q", line)
		}
		given[key] = true
	}
	if s.Host == "" || s.Cause.Code == "" {
		return fmt.Errorf("want: host and cause are needed")
	}
	if given["action"] && s.Mode == Heal {
		return fmt.Errorf("want: action is for a drill that waits for a person, and mode heal does not")
	}
	s.defaults(given)
	return nil
}

// waiting are the actions that a person ends.
var waiting = []rules.Kind{rules.Report, rules.Asking, rules.GaveUp, rules.Hold, rules.Wait}

// defaults fills in what was not given.
func (s *Scenario) defaults(given map[string]bool) {
	if !given["acts"] && s.Mode != Report {
		s.Acts = Range{1 + len(s.Then), 1 + len(s.Then)}
	}
	switch {
	case given["action"]:
	case s.Mode == Ask:
		s.Action = rules.Asking
	case s.Mode != Heal:
		s.Action = rules.Report
	}
}

// ref reads "CODE SUBJECT", or "CODE" alone.
func ref(text string) rules.Ref {
	code, subject, _ := strings.Cut(text, " ")
	return rules.On(probes.Code(code), subject)
}

// readRange reads "3" and "1-6".
func readRange(text string) (Range, bool) {
	least, most, two := strings.Cut(text, "-")
	if !two {
		most = least
	}
	n, err := strconv.Atoi(least)
	m, err2 := strconv.Atoi(most)
	return Range{n, m}, err == nil && err2 == nil && 0 <= n && n <= m
}
