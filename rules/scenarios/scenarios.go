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
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
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
	Changes                   []string
	Break, Settle, Fix, Ready string
}

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
	s := Scenario{ID: id, Prose: strings.TrimSpace(string(ar.Comment))}
	parts := map[string]*string{"break": &s.Break, "settle": &s.Settle, "fix": &s.Fix, "ready": &s.Ready}
	want := ""
	for _, f := range ar.Files {
		text := string(f.Data)
		if f.Name == "want" {
			want = text
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
	for name, part := range parts {
		if name != "settle" && strings.TrimSpace(*part) == "" {
			return s, fmt.Errorf("scenario %s: no %s", id, name)
		}
	}
	return s, nil
}

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
		default:
			return fmt.Errorf("want: cannot read %q", line)
		}
	}
	if s.Host == "" || s.Cause.Code == "" {
		return fmt.Errorf("want: host and cause are needed")
	}
	return nil
}
