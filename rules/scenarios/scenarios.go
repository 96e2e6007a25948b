// Package scenarios holds one file per fault of the book: how to break a
// healthy host in just this way, what the program must say of it, and how a
// person would mend it. The lab rehearses them, and their prose is the fault's
// entry in the reference.
//
// A scenario is a txtar archive. Its comment is prose for a person; its files
// are:
//
//	want   key: value lines, see [Scenario]
//	break  a shell script that breaks the host, run as root inside it
//	settle waits until the fault is all there is to see, where breaking takes a
//	       while; left out where it does not
//	fix    what a person would type: the bare fix that healing is timed against
//	ready  a shell script that succeeds when users are served again
//	free   ends what keeps the program from healing: for mode release
//	outside, outside-fix
//	       lab verbs, one a line, for what breaks outside of the host
//	       ("dns set idp.example.org A 192.0.2.1"): run after break, before fix
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
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
	// Restarts lists the services that healing may restart; all others keep
	// running as they are.
	Restarts []string
	// Changes lists paths that healing may leave otherwise than they were.
	Changes []string
	Mode    Mode
	// Says lists what diagnose has to say of the cause, in its evidence or in
	// its fix: a port's holder, the record to publish.
	Says []string

	Break, Settle, Fix, Ready, Free string
	// Outside and OutsideFix are lab verbs.
	Outside, OutsideFix []string
}

// Mode is what the program is held to.
type Mode string

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
	parts := map[string]*string{"break": &s.Break, "settle": &s.Settle, "fix": &s.Fix, "ready": &s.Ready, "free": &s.Free}
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
		"free (mode release)": s.Mode == Release && blank(s.Free),
	} {
		if missing {
			return fmt.Errorf("scenario %s: no %s", s.ID, name)
		}
	}
	return nil
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

func (s *Scenario) want(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case ok && key == "host":
			s.Host = value
		case ok && key == "cause":
			code, subject, _ := strings.Cut(value, " ")
			s.Cause = rules.On(probes.Code(code), subject)
		case ok && key == "restarts":
			s.Restarts = strings.Fields(value)
		case ok && key == "changes":
			s.Changes = strings.Fields(value)
		case ok && key == "mode" && slices.Contains([]Mode{Heal, Report, Ask, Release}, Mode(value)):
			s.Mode = Mode(value)
		case ok && key == "says":
			s.Says = append(s.Says, value)
		default:
			return fmt.Errorf("want: cannot read %q", line)
		}
	}
	if s.Host == "" || s.Cause.Code == "" {
		return fmt.Errorf("want: host and cause are needed")
	}
	return nil
}
