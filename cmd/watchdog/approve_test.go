package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"watchdog/probes"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/engine"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// madeUp is an edit that shows one line and a diff.
type madeUp string

func (e madeUp) String() string                             { return string(e) }
func (e madeUp) Diff() string                               { return "-old\n+new\n" }
func (e madeUp) Do(context.Context, remedies.Hands) error   { return nil }
func (e madeUp) Undo(context.Context, remedies.Hands) error { return nil }

func planned(line string) remedies.Plan {
	return remedies.Plan{Remedy: "nginx.conf", Edits: []remedies.Edit{madeUp(line)}}
}

// An approval under test: what waits, what its plans are, and what the person
// says.
type approving struct {
	approver
	out strings.Builder
}

func fault(code, subject string, kind rules.Kind, remedy string) engine.FaultState {
	ref := rules.On(probes.Code(code), subject)
	return engine.FaultState{
		Fault: ref, Verdict: rules.Cause, Mode: rules.Ask, Summary: "it is wrong",
		Action: rules.Action{Kind: kind, Fault: ref, Remedy: remedy, Reason: "because", Rail: "approval"},
	}
}

func newApproving(t *testing.T, faults ...engine.FaultState) *approving {
	a := &approving{}
	a.approver = approver{
		snapshot: func(context.Context) (engine.Snapshot, error) {
			return engine.Snapshot{Host: "idp", Faults: faults}, nil
		},
		plan: func(_ context.Context, id string) (remedies.Plan, error) {
			switch id {
			case "nginx.conf":
				return planned("write nginx.conf"), nil
			case "nothing":
				return remedies.Plan{}, nil
			}
			return remedies.Plan{}, fmt.Errorf("there is no remedy %s on this host", id)
		},
		file: filepath.Join(t.TempDir(), "state", approvedFile), now: func() time.Time { return noon },
		in: strings.NewReader("y\n"), out: &a.out,
	}
	return a
}

func (a *approving) do(t *testing.T, agreed consent, asJSON bool, args ...string) (code int, said string) {
	t.Helper()
	c := &cobra.Command{}
	c.SetContext(t.Context())
	err := a.run(c, args, agreed, asJSON)
	said = a.out.String()
	if err != nil {
		said += err.Error()
	}
	return codeOf(err), said
}

func TestTheListOfWhatWaits(t *testing.T) {
	a := newApproving(t)
	if code, said := a.do(t, consent{}, false); code != exitOK || said != "nothing waits for approval\n" {
		t.Errorf("of nothing: %d, %q", code, said)
	}
	a = newApproving(t,
		fault("nginx.config-invalid", "", rules.Asking, "nginx.conf"), fault("service.dead", "nginx", rules.Heal, "service.nginx"),
		fault("cert.missing", "x", rules.Asking, "nothing"), fault("cert.expiring", "x", rules.Asking, "unknown"))
	hash := planned("write nginx.conf").Hash()
	want := "nginx.config-invalid: it is wrong\n  by nginx.conf, plan " + hash + "\n  would write nginx.conf\n-old\n+new\n  watchdog approve nginx.config-invalid\n\n" +
		"cert.missing x: it is wrong\n  by nothing: there is nothing to do: what is wrong is not what this remedy changes\n  watchdog approve cert.missing x\n\n" +
		"cert.expiring x: it is wrong\n  by unknown: there is no remedy unknown on this host\n  watchdog approve cert.expiring x\n\n"
	code, said := a.do(t, consent{}, false)
	if diff := cmp.Diff(want, said); diff != "" || code != exitFindings {
		t.Errorf("exit code %d (-want +got):\n%s", code, diff)
	}
	a.out.Reset()
	code, said = a.do(t, consent{}, true)
	var got struct {
		Schema  int
		Waiting []proposal
	}
	if err := json.Unmarshal([]byte(said), &got); err != nil || code != exitFindings || got.Schema != 1 || len(got.Waiting) != 3 || got.Waiting[0].Plan != hash {
		t.Errorf("as JSON: %d, %v, %s", code, err, said)
	}
}

func TestApprove(t *testing.T) {
	hash := planned("write nginx.conf").Hash()
	waits := fault("nginx.config-invalid", "", rules.Asking, "nginx.conf")
	tests := []struct {
		name   string
		faults []engine.FaultState
		agreed consent
		args   []string
		code   int
		says   string
	}{
		{"yes", []engine.FaultState{waits}, consent{yes: true}, []string{"nginx.config-invalid"}, exitOK, "approved: plan " + hash + ", for one attempt until "},
		{"the plan that was read", []engine.FaultState{waits}, consent{plan: hash}, []string{"nginx.config-invalid"}, exitOK, "approved"},
		{"another plan than was read", []engine.FaultState{waits}, consent{plan: "abc"}, []string{"nginx.config-invalid"}, exitFindings, "another one by now: " + hash},
		{"another plan, and yes", []engine.FaultState{waits}, consent{yes: true, plan: "abc"}, []string{"nginx.config-invalid"}, exitFindings, "another one by now"},
		{"no terminal", []engine.FaultState{waits}, consent{}, []string{"nginx.config-invalid"}, exitUsage, "--plan " + hash},
		{"nothing of the kind", nil, consent{yes: true}, []string{"nginx.config-invalid"}, exitFindings, "there is no nginx.config-invalid now"},
		{"does not wait", []engine.FaultState{fault("service.dead", "nginx", rules.Hold, "service.nginx")}, consent{yes: true}, []string{"service.dead"}, exitFindings, "service.dead nginx does not wait for approval: hold: because"},
		{"two wait", []engine.FaultState{fault("service.dead", "nginx", rules.Asking, "nginx.conf"), fault("service.dead", "keycloak", rules.Asking, "nginx.conf")},
			consent{yes: true}, []string{"service.dead"}, exitUsage, "nginx, keycloak: name one"},
		{"one of two", []engine.FaultState{fault("service.dead", "nginx", rules.Asking, "nginx.conf"), fault("service.dead", "keycloak", rules.Asking, "nothing")},
			consent{yes: true}, []string{"service.dead", "nginx"}, exitOK, "approved"},
		{"nothing to do", []engine.FaultState{fault("cert.missing", "x", rules.Asking, "nothing")}, consent{yes: true}, []string{"cert.missing"}, exitFindings, "there is nothing to do"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApproving(t, tt.faults...)
			code, said := a.do(t, tt.agreed, false, tt.args...)
			if code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("exit code %d, want %d with %q in\n%s", code, tt.code, tt.says, said)
			}
			got, err := readApproved(a.file, noon)
			if err != nil || (len(got) == 1) != (tt.code == exitOK) {
				t.Fatalf("approved %v, %v", got, err)
			}
			for ref, yes := range got {
				if ref != tt.faults[0].Fault || yes != (rules.Approval{Remedy: "nginx.conf", Plan: hash, At: noon}) {
					t.Errorf("approved %s: %+v", ref, yes)
				}
			}
		})
	}
}

func TestApproveAsksOnATerminal(t *testing.T) {
	for answer, want := range map[string]int{"y\n": exitOK, "YES\n": exitOK, "n\n": exitFindings, "\n": exitFindings, "yep\n": exitFindings} {
		person, tty := terminal(t)
		a := newApproving(t, fault("nginx.config-invalid", "", rules.Asking, "nginx.conf"))
		a.in = tty
		if _, err := person.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		code, said := a.do(t, consent{}, false, "nginx.config-invalid")
		if code != want || !strings.Contains(said, "Approve this plan? [y/N] ") {
			t.Errorf("%q: exit code %d, want %d, %s", answer, code, want, said)
		}
		if _, err := os.Stat(a.file); (err == nil) != (want == exitOK) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// terminal returns both ends of a terminal.
func terminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return person, tty
}

func TestApprovalsLastAnHour(t *testing.T) {
	path := filepath.Join(t.TempDir(), approvedFile)
	a, b := rules.On("service.dead", "nginx"), rules.On("host.disk-full", "/var/a b")
	yes := func(at time.Time) rules.Approval { return rules.Approval{Remedy: "r", Plan: "p", At: at} }
	if err := writeApproved(path, a, yes(noon)); err != nil {
		t.Fatal(err)
	}
	if err := writeApproved(path, b, yes(noon.Add(59*time.Minute))); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	for _, tt := range []struct {
		now  time.Time
		want map[rules.Ref]rules.Approval
	}{
		{noon.Add(59 * time.Minute), map[rules.Ref]rules.Approval{a: yes(noon), b: yes(noon.Add(59 * time.Minute))}},
		{noon.Add(61 * time.Minute), map[rules.Ref]rules.Approval{b: yes(noon.Add(59 * time.Minute))}},
		{noon.Add(-time.Hour), map[rules.Ref]rules.Approval{}}, // the clock was set back
	} {
		got, err := readApproved(path, tt.now)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("at %s: %v (-want +got):\n%s", tt.now, err, diff)
		}
	}
	if err := writeApproved(path, a, yes(noon.Add(2*time.Hour))); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), "disk-full") {
		t.Errorf("what is too old is kept: %s, %v", data, err)
	}
}

func TestApprovalsThatCannotBeReadApproveNothing(t *testing.T) {
	dir := t.TempDir()
	good := `{"service.dead nginx": {"remedy": "r", "plan": "p", "at": "2026-01-02T12:00:00Z"}}`
	for name, prepare := range map[string]func(path string) error{
		"no JSON":             func(p string) error { return os.WriteFile(p, []byte("{"), 0o600) },
		"others may write it": func(p string) error { return errors.Join(os.WriteFile(p, []byte(good), 0o600), os.Chmod(p, 0o622)) },
		"a link": func(p string) error {
			return errors.Join(os.WriteFile(p+"-", []byte(good), 0o600), os.Symlink(p+"-", p))
		},
		"a pipe nobody writes": func(p string) error { return unix.Mkfifo(p, 0o600) },
		"a directory":          func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		path := filepath.Join(dir, name)
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		if got, err := readApproved(path, noon); err == nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := readApproved(filepath.Join(dir, "none"), noon); err != nil || got != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
}

func TestAComplaintIsMadeOnce(t *testing.T) {
	var said []string
	complain := once(func(err error) { said = append(said, err.Error()) })
	for range 3 {
		complain(errors.New("a"))
		complain(errors.New("b"))
	}
	if diff := cmp.Diff([]string{"a", "b"}, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}
