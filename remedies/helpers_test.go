package remedies_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

var errNo = errors.New("no")

// A machine is what a test of a plan needs of one, with hands or without.
type machine interface {
	Host() *host.Host
	Get(name string) *host.Node
}

func plan(t *testing.T, r remedies.Remedy, m machine) remedies.Plan {
	t.Helper()
	p, err := r.Plan(t.Context(), m.Host())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func again(t *testing.T, r remedies.Remedy, m machine) {
	t.Helper()
	if p := plan(t, r, m); !p.Empty() {
		t.Errorf("planned again:\n%s\n%s", strings.Join(p.Lines(), "\n"), p.Diff())
	}
}

func content(m machine, name string) string {
	n := m.Get(name)
	if n == nil {
		return "(none)"
	}
	return string(n.Data)
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// mend applies r's plan and returns what was done besides writing files.
func mend(t *testing.T, r remedies.Remedy, m *remedytest.Machine) []string {
	t.Helper()
	did, err := tryMend(t, r, m)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

func tryMend(t *testing.T, r remedies.Remedy, m *remedytest.Machine) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	before := len(m.Calls())
	err := plan(t, r, m).Apply(ctx, m, m.Host(), nil)
	var did []string
	for _, c := range m.Calls()[before:] {
		if c.File == "" {
			did = append(did, strings.TrimPrefix(c.What, "run "))
		}
	}
	return did, err
}
