package remedytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// patience bounds one plan or application on a made-up machine.
const patience = 20 * time.Second

// Suite holds a remedy to its contract on a machine on which it has something
// to do:
//
//   - planning twice gives the same plan and touches nothing;
//   - a plan that was applied is followed by an empty one;
//   - a failure or a cancellation at any call leaves files, owners, modes and
//     the running services as they were, or else everything done; and after it
//     the remedy can be run to its end. Steps may stay, and so may the effects
//     of a plan that has no edits;
//   - putting back that fails too is told, with what went wrong at first;
//   - what changed between plan and application is left alone;
//   - reverting an applied plan brings the files back, and what ran runs with
//     them;
//   - no secret of the machine, nor of those given besides, is in a diff, a
//     line, an argument, a statement or an error.
//
// The machine is as it was when Suite returns.
func Suite(t *testing.T, r remedies.Remedy, m *Machine, secrets ...string) {
	t.Helper()
	s := &suite{r: r, m: m, begin: m.State(), secrets: secrets}
	defer m.Restore(s.begin)
	if !t.Run("plan", s.plans) || !t.Run("apply", s.applies) {
		return // nothing else could be told
	}
	t.Run("interrupted", s.interrupted)
	t.Run("undo fails", s.undoFails)
	t.Run("changed meanwhile", s.changedMeanwhile)
	t.Run("revert", s.reverts)
}

type suite struct {
	r       remedies.Remedy
	m       *Machine
	begin   State // the machine as it was given
	base    State // after the steps
	done    State // after all
	steps   int   // calls of the hands for the steps, and in all
	calls   int
	edits   bool // the plan has some
	secrets []string
}

func (s *suite) plan(t *testing.T) remedies.Plan {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := s.r.Plan(ctx, s.m.Host())
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	p.Remedy = s.r.Spec().ID
	return p
}

// apply applies p under a fault.
func (s *suite) apply(t *testing.T, p remedies.Plan, f Fault) error {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	ctx, cancel := s.m.Strike(ctx, f)
	defer cancel()
	err := p.Apply(ctx, s.m, s.m.Host(), nil)
	if err != nil {
		s.tellsNoSecret(t, "the error", err.Error())
	}
	for _, c := range s.m.Calls() {
		s.tellsNoSecret(t, "a call", c.Said)
	}
	return err
}

// tellsNoSecret looks for the machine's secrets in text.
func (s *suite) tellsNoSecret(t *testing.T, where, text string) {
	t.Helper()
	secrets := append([]string{}, s.secrets...)
	for name, n := range s.m.Nodes() {
		if strings.HasPrefix(name, host.SecretDir+"/") && len(n.Data) > 0 {
			secrets = append(secrets, strings.TrimSpace(string(n.Data)))
		}
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds a secret: %s", where, strings.ReplaceAll(text, secret, "HERE"))
		}
	}
}

func (s *suite) plans(t *testing.T) {
	spec := s.r.Spec()
	if spec.ID == "" || spec.Summary == "" || spec.Timeout <= 0 {
		t.Errorf("spec %+v lacks ID, summary or time-out", spec)
	}
	s.m.Restore(s.begin)
	p, again := s.plan(t), s.plan(t)
	if d := cmp.Diff(describe(p), describe(again)); d != "" {
		t.Errorf("a second plan differs: %s", d)
	}
	if d := differ(s.begin, s.m.State(), nil); d != "" || len(s.m.Calls()) > 0 {
		t.Errorf("planning changed the machine: %s%s", d, s.m.Called())
	}
	if len(p.Waits) > 0 {
		t.Fatalf("it waits for %s, which the machine lacks", strings.Join(p.Waits, ", "))
	}
	if p.Empty() {
		t.Fatal("it has nothing to do on this machine")
	}
	s.tellsNoSecret(t, "the plan", describe(p)+fmt.Sprintf("%+v", spec))
}

// describe is all that a person sees of a plan.
func describe(p remedies.Plan) string {
	text := strings.Join(p.Lines(), "\n") + "\n" + p.Diff()
	for _, g := range p.Gates {
		text += g.String() + "\n"
	}
	return text
}

func (s *suite) applies(t *testing.T) {
	s.m.Restore(s.begin)
	p := s.plan(t)
	if err := s.apply(t, remedies.Plan{Remedy: p.Remedy, Steps: p.Steps}, Fault{}); err != nil {
		t.Fatalf("the steps alone: %v", err)
	}
	s.base, s.steps = s.m.State(), len(s.m.Calls())

	s.m.Restore(s.begin)
	p = s.plan(t)
	s.edits = len(p.Edits) > 0
	if err := s.apply(t, p, Fault{}); err != nil {
		t.Fatal(err)
	}
	s.done, s.calls = s.m.State(), len(s.m.Calls())
	s.empty(t)
	if d := differ(s.done, s.m.State(), nil); d != "" {
		t.Errorf("planning changed the machine: %s", d)
	}
}

// empty plans once more, after all was done.
func (s *suite) empty(t *testing.T) {
	t.Helper()
	if p := s.plan(t); !p.Empty() || len(p.Waits) > 0 {
		t.Errorf("a plan follows that is not empty:\n%s%s", describe(p), strings.Join(p.Waits, "\n"))
	}
}

func (s *suite) interrupted(t *testing.T) {
	for n := 1; n <= s.calls; n++ {
		for _, kind := range Kinds {
			s.m.Restore(s.begin)
			p := s.plan(t)
			err := s.apply(t, p, Fault{Call: n, Kind: kind})
			what := "call " + fmt.Sprint(n) + " " + string(kind)
			if calls := s.m.Calls(); n <= len(calls) {
				what = fmt.Sprintf("call %d (%s) %s", n, calls[n-1].What, kind)
			}
			s.judge(t, what, n > s.steps && s.edits, kind, err)
			s.resume(t, what)
		}
	}
}

// judge says what is wrong with the machine after an interruption. Only what
// has edits, and not before them, is put back.
func (s *suite) judge(t *testing.T, what string, putBack bool, kind Kind, err error) {
	t.Helper()
	now := s.m.State()
	if err == nil {
		if d := differ(unsecret(s.done), unsecret(now), s.changed()); d != "" {
			t.Errorf("%s: no error, but not all is done: %s", what, d)
		}
		return
	}
	if !putBack {
		return
	}
	cause := context.Canceled
	if kind == FailBefore || kind == FailAfter {
		cause = ErrFault
	}
	if !errors.Is(err, cause) {
		t.Errorf("%s: the error is another: %v", what, err)
	}
	if errors.Is(err, remedies.ErrNotBack) {
		t.Errorf("%s: it was not put back: %v", what, err)
	}
	if d := differ(s.base, now, s.changed()); d != "" {
		t.Errorf("%s: not as before: %s\ncalls:\n%s", what, d, s.m.Called())
	}
}

// resume runs the remedy to its end after an interruption.
func (s *suite) resume(t *testing.T, what string) {
	t.Helper()
	if err := s.apply(t, s.plan(t), Fault{}); err != nil {
		t.Errorf("%s, and then not to be finished: %v", what, err)
	} else if p := s.plan(t); !p.Empty() {
		t.Errorf("%s, and then not finished by another run:\n%s", what, describe(p))
	} else if d := differ(unsecret(s.done), unsecret(s.m.State()), s.changed()); d != "" && (s.edits || s.steps > 0) {
		t.Errorf("%s, and then finished otherwise by another run: %s", what, d)
	}
}
