package remedytest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// undoFails lets every call from one on fail: the plan can't be put back
// either, and has to say both.
func (s *suite) undoFails(t *testing.T) {
	for n := s.steps + 1; n <= s.calls; n++ {
		s.m.Restore(s.begin)
		p := s.plan(t)
		if len(p.Edits) == 0 {
			t.Skip("it has no edits to undo")
		}
		err := s.apply(t, p, Fault{Call: n, Kind: FailAfter, Stay: true})
		if err == nil || errors.Is(err, remedies.ErrStale) {
			continue // a call whose failure it can bear
		}
		if !errors.Is(err, remedies.ErrNotBack) || !errors.Is(err, ErrFault) {
			t.Errorf("call %d and all after it fail: %v; want also that it could not be put back", n, err)
		}
	}
}

// changedMeanwhile lets somebody else change each thing between plan and
// application.
func (s *suite) changedMeanwhile(t *testing.T) {
	for i, name := range s.targets(t) {
		s.m.Restore(s.base)
		p := s.plan(t)
		if dir := s.m.Get(path.Dir(name)); name == "" || dir == nil {
			continue // no file, or one where nobody can be before the plan is
		}
		s.m.Set(name, stranger(s.m.Get(name)))
		before := s.m.State()
		err := s.apply(t, p, Fault{})
		if !errors.Is(err, remedies.ErrStale) {
			t.Errorf("%s was changed by somebody else meanwhile: %v; want ErrStale", name, err)
		}
		if d := differ(before, s.m.State(), nil); d != "" {
			t.Errorf("%s was changed by somebody else meanwhile, and not all is as it was then: %s\ncalls:\n%s", name, d, s.m.Called())
		}
		if i == 0 && len(s.m.Calls()) > 1 {
			t.Errorf("the first edit was stale, and more was done:\n%s", s.m.Called())
		}
	}
}

// targets returns the file that each edit of the plan writes, "" for one that
// writes none.
func (s *suite) targets(t *testing.T) []string {
	s.m.Restore(s.base)
	var names []string
	for _, e := range s.plan(t).Edits {
		n := len(s.m.Calls())
		if err := e.Do(t.Context(), s.m); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		name := ""
		for _, c := range s.m.Calls()[n:] {
			name = c.File
		}
		names = append(names, name)
	}
	return names
}

// stranger is what somebody else makes of what there is.
func stranger(n *host.Node) *host.Node {
	if n == nil {
		return &host.Node{Mode: 0o604, Owner: "root", Group: "root", Data: []byte("somebody else's\n")}
	}
	switch n.Mode.Type() {
	case fs.ModeDir:
		n.Mode = fs.ModeDir | 0o701
	case fs.ModeSymlink:
		n.Data = []byte("/somebody/else")
	default:
		n.Data = append(n.Data, "77\n"...)
	}
	return n
}

// reverts undoes a plan after it was applied.
func (s *suite) reverts(t *testing.T) {
	s.m.Restore(s.begin)
	p := s.plan(t)
	if len(p.Edits) == 0 {
		t.Skip("it has no edits to undo")
	}
	if err := s.apply(t, p, Fault{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Revert(t.Context(), s.m, s.m.Host(), nil); err != nil {
		t.Error(err)
	}
	was, now := ran(s.base, s.base), ran(s.base, s.m.State())
	if d := differ(was, now, s.changed()); d != "" {
		t.Errorf("after the revert not as before: %s\ncalls:\n%s", d, s.m.Called())
	}
}

// ran leaves in s only the services that ran before or were not there: of the
// others nobody knows any more, when a plan is reverted, whether they ran, nor
// of any whether it started at boot.
func ran(before, s State) State {
	units := map[string]host.Unit{}
	for name, u := range s.Units {
		was, ok := before.Units[name]
		if running(was) || !ok || was.State == host.Absent {
			u.Enabled = was.Enabled
			units[name] = u
		}
	}
	s.Units = units
	return s
}

// changed lists the names that the plan's edits and effects change.
func (s *suite) changed() []string {
	var names []string
	all := maps.Clone(s.base.Nodes)
	maps.Copy(all, s.done.Nodes)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !s.base.Nodes[name].Equal(s.done.Nodes[name]) {
			names = append(names, name)
		}
	}
	return names
}

// differ says in what two states are not the same: files whole but for their
// times; of services which of them run, and start at boot; and of those that
// run, with which of the named files.
func differ(a, b State, files []string) string {
	return cmp.Diff(lines(a, files), lines(b, files))
}

func lines(s State, files []string) map[string]string {
	out := map[string]string{}
	for name, n := range s.Nodes {
		out["file "+name] = line(n)
	}
	for name, u := range s.Units {
		if u.State == host.Absent {
			continue
		}
		out["service "+name] = fmt.Sprintf("runs %t, starts at boot %t", running(u), u.Enabled)
		for _, file := range files {
			if running(u) {
				out["service "+name+" runs with "+file] = line(s.Loaded[name][file])
			}
		}
	}
	for key, value := range s.Values {
		if value != "" {
			out["value "+key] = value
		}
	}
	return out
}

// unsecret blanks the secrets in s: those that are generated are others each
// time.
func unsecret(s State) State {
	s.Nodes = maps.Clone(s.Nodes)
	for name, n := range s.Nodes {
		if strings.HasPrefix(name, host.SecretDir+"/") {
			blank := *n
			blank.Data = nil
			s.Nodes[name] = &blank
		}
	}
	return s
}

func running(u host.Unit) bool { return u.State == host.Running || u.State == host.Starting }

func line(n *host.Node) string {
	if n == nil {
		return "nothing"
	}
	return fmt.Sprintf("%v %s:%s %s", n.Mode, n.Owner, n.Group, n.Data)
}
