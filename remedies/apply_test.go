package remedies_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// text is a file of root's.
func text(s string) *host.Node { return remedies.File([]byte(s), "root", "root", 0o644) }

// stack is a machine with files a, b and services that run (up), don't (down)
// and have failed (broken).
func stack() *remedytest.Machine {
	return remedytest.New(
		hosttest.Node("/etc/a", text("a")), hosttest.Node("/etc/b", text("b")),
		hosttest.Unit("up.service", host.Running),
		hosttest.Service(host.Unit{Name: "down.service", State: host.Stopped}),
		hosttest.Unit("broken.service", host.Failed),
	)
}

func write(m *remedytest.Machine, name, want string) remedies.Edit {
	return remedies.Write{Path: name, Old: m.Get(name), New: text(want)}
}

func do(v remedies.Verb, unit string) remedies.Do { return remedies.Do{Verb: v, Unit: unit} }

var gate = remedies.Call{Command: remedies.Command{Name: "nginx-test"}, What: "ask nginx"}

// journal is a Progress that remembers, and refuses what it is told to.
type journal struct {
	lines  []string
	refuse string
}

func (j *journal) Begin(what string) error {
	if j.refuse != "" && strings.HasPrefix(what, j.refuse) {
		return errRefused
	}
	j.lines = append(j.lines, "begin "+what)
	return nil
}

func (j *journal) End(what string, err error) {
	j.lines = append(j.lines, fmt.Sprintf("end %s: %v", what, err != nil))
}

var errRefused = errors.New("the journal can't be written")

func called(t *testing.T, m *remedytest.Machine, want ...string) {
	t.Helper()
	var got []string
	for _, c := range m.Calls() {
		got = append(got, c.What)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the hands were told otherwise: %s", d)
	}
}

// files checks what /etc/a and /etc/b hold.
func files(t *testing.T, m *remedytest.Machine, a, b string) {
	t.Helper()
	for name, want := range map[string]string{"/etc/a": a, "/etc/b": b} {
		if n := m.Get(name); n == nil || string(n.Data) != want {
			t.Errorf("%s is %v; want %q", name, n, want)
		}
	}
}

func TestApplyInOrder(t *testing.T) {
	m := stack()
	p := remedies.Plan{
		Steps: []remedies.Step{
			remedies.CreateUser{Name: "root", Home: "/root"}, // there already
			remedies.CreateUser{Name: "keycloak", Home: "/opt/keycloak"},
		},
		Edits:   []remedies.Edit{write(m, "/etc/a", "1"), write(m, "/etc/b", "2")},
		Gates:   []remedies.Gate{gate},
		Effects: []remedies.Effect{do(remedies.Reload, "up.service"), do(remedies.Start, "down.service")},
	}
	j := &journal{}
	if err := p.Apply(t.Context(), m, m.Host(), j); err != nil {
		t.Fatal(err)
	}
	called(t, m, "run user-add keycloak /opt/keycloak", "write /etc/a", "write /etc/b", "run nginx-test", "reload up.service", "start down.service")
	want := []string{
		"begin create system user keycloak", "end create system user keycloak: false",
		"begin change /etc/a", "end change /etc/a: false", "begin change /etc/b", "end change /etc/b: false",
		"begin ask nginx", "end ask nginx: false",
		"begin reload up.service", "end reload up.service: false", "begin start down.service", "end start down.service: false",
	}
	if d := cmp.Diff(want, j.lines); d != "" {
		t.Errorf("the journal says otherwise: %s", d)
	}
}

func TestApplyRefusesWhatWaits(t *testing.T) {
	m := stack()
	p := remedies.Plan{Remedy: "x", Waits: []string{"secret keycloak-db"}, Edits: []remedies.Edit{write(m, "/etc/a", "1")}}
	err := p.Apply(t.Context(), m, m.Host(), nil)
	if err == nil || !strings.Contains(err.Error(), "secret keycloak-db") {
		t.Errorf("Apply = %v; want what it waits for", err)
	}
	called(t, m)
}

// After a first edit that is stale nothing is undone or repeated: services are
// not restarted onto somebody else's half-made change. After a later one what
// was done is undone, and no service knows of it.
func TestApplyStale(t *testing.T) {
	for name, tt := range map[string]struct {
		stale string
		want  []string
		a, b  string
	}{
		"first":  {"/etc/a", []string{"write /etc/a"}, "theirs", "b"},
		"second": {"/etc/b", []string{"write /etc/a", "write /etc/b", "write /etc/a"}, "a", "theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			m := stack()
			p := remedies.Plan{
				Edits:   []remedies.Edit{write(m, "/etc/a", "1"), write(m, "/etc/b", "2")},
				Effects: []remedies.Effect{do(remedies.Restart, "up.service")},
			}
			m.Set(tt.stale, text("theirs"))
			err := p.Apply(t.Context(), m, m.Host(), nil)
			if !errors.Is(err, remedies.ErrStale) || errors.Is(err, remedies.ErrNotBack) {
				t.Errorf("Apply = %v; want ErrStale", err)
			}
			called(t, m, tt.want...)
			files(t, m, tt.a, tt.b)
		})
	}
}

func TestApplyPutsBack(t *testing.T) {
	const unit = "/etc/systemd/system/new.service"
	tests := map[string]struct {
		effects []remedies.Effect
		fault   remedytest.Fault // calls 1 to 3 are the edits
		after   []string         // of the calls that are the plan's own
	}{
		"edit that failed before it took effect": {nil, remedytest.Fault{Call: 1, Kind: remedytest.FailBefore},
			[]string{"write /etc/a"}},
		"edit that failed after it took effect": {nil, remedytest.Fault{Call: 2, Kind: remedytest.FailAfter},
			[]string{"write /etc/b", "write /etc/a"}},
		"gate": {[]remedies.Effect{do(remedies.Restart, "up.service")}, remedytest.Fault{Call: 4, Kind: remedytest.FailAfter},
			[]string{"write " + unit, "write /etc/b", "write /etc/a"}},
		"reload of what ran": {[]remedies.Effect{do(remedies.Reload, "up.service")}, remedytest.Fault{Call: 5, Kind: remedytest.FailAfter},
			[]string{"write " + unit, "write /etc/b", "write /etc/a", "reload up.service"}},
		"restart of what ran": {[]remedies.Effect{do(remedies.Restart, "up.service")}, remedytest.Fault{Call: 5, Kind: remedytest.FailBefore},
			[]string{"write " + unit, "write /etc/b", "write /etc/a", "restart up.service"}},
		"restart of what did not run": {[]remedies.Effect{do(remedies.Restart, "broken.service")}, remedytest.Fault{Call: 5, Kind: remedytest.FailAfter},
			[]string{"stop broken.service", "write " + unit, "write /etc/b", "write /etc/a"}},
		"stop of what ran": {[]remedies.Effect{do(remedies.Disable, "up.service"), do(remedies.Stop, "up.service")}, remedytest.Fault{Call: 6, Kind: remedytest.FailAfter},
			[]string{"write " + unit, "write /etc/b", "write /etc/a", "enable up.service", "start up.service"}},
		"new unit": {
			[]remedies.Effect{do(remedies.Reread, ""), do(remedies.Enable, "new.service"), do(remedies.Start, "new.service")},
			remedytest.Fault{Call: 7, Kind: remedytest.FailAfter},
			[]string{"stop new.service", "disable new.service", "write " + unit, "write /etc/b", "write /etc/a", "daemon-reload"}},
		"what is there already is not taken back": {
			[]remedies.Effect{do(remedies.Enable, "up.service"), do(remedies.Unmask, "up.service"), gate},
			remedytest.Fault{Call: 7, Kind: remedytest.FailAfter},
			[]string{"write " + unit, "write /etc/b", "write /etc/a", "run nginx-test"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := stack()
			before := m.State()
			p := remedies.Plan{
				Edits: []remedies.Edit{write(m, "/etc/a", "1"), write(m, "/etc/b", "2"), write(m, unit, "[Service]\n")},
				Gates: []remedies.Gate{gate}, Effects: tt.effects,
			}
			ctx, cancel := m.Strike(t.Context(), tt.fault)
			defer cancel()
			err := p.Apply(ctx, m, m.Host(), nil)
			if !errors.Is(err, remedytest.ErrFault) || errors.Is(err, remedies.ErrNotBack) {
				t.Errorf("Apply = %v; want the fault alone", err)
			}
			var got []string
			for _, c := range m.Calls()[tt.fault.Call:] {
				got = append(got, c.What)
			}
			if d := cmp.Diff(tt.after, got); d != "" {
				t.Errorf("put back otherwise: %s", d)
			}
			files(t, m, "a", "b")
			runsAsBefore(t, m, before)
		})
	}
}

// runsAsBefore checks that the same services run, with /etc/a as it was, and
// start at boot.
func runsAsBefore(t *testing.T, m *remedytest.Machine, before remedytest.State) {
	t.Helper()
	for name, u := range m.Units() {
		was := before.Units[name]
		if u.Enabled != was.Enabled || (u.State == host.Running) != (was.State == host.Running) {
			t.Errorf("%s is %s, at boot %t; it was %s, %t", name, u.State, u.Enabled, was.State, was.Enabled)
		}
		if u.State == host.Running && string(m.Loaded(name, "/etc/a").Data) != "a" {
			t.Errorf("%s runs on with %s", name, m.Loaded(name, "/etc/a").Data)
		}
	}
}
