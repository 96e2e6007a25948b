package ledger

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/rules"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func attempt(at time.Time) rules.Attempt {
	return rules.Attempt{Fault: rules.On("service.dead", "nginx"), Remedy: "service.nginx", Seen: at, At: at}
}

func open1(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, aside, err := Open(dir, noon)
	if err != nil || aside != "" {
		t.Fatalf("open: %v, set aside %q", err, aside)
	}
	return l
}

func TestAttemptsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	l := open1(t, dir)
	old := attempt(noon.Add(-91 * 24 * time.Hour))
	for _, a := range []rules.Attempt{old, attempt(noon)} {
		id, err := l.Begin(a)
		if err != nil {
			t.Fatal(err)
		}
		a.Ended, a.Outcome = a.At.Add(time.Second), rules.Healed
		if err := l.End(id, a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Begin(attempt(noon.Add(time.Minute))); err != nil { // never ended: the daemon died
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = open1(t, dir)
	defer l.Close()
	all, cut, err := l.Recover(noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []rules.Outcome
	for _, a := range all {
		got = append(got, a.Outcome)
	}
	if diff := cmp.Diff([]rules.Outcome{rules.Healed, rules.Cut}, got); diff != "" {
		t.Errorf("outcomes, the old one forgotten (-want +got):\n%s", diff)
	}
	if len(cut) != 1 || cut[0].Ended != noon.Add(time.Hour) {
		t.Errorf("cut short: %+v", cut)
	}
	if _, cut, _ := l.Recover(noon.Add(time.Hour)); len(cut) != 0 {
		t.Errorf("cut short twice: %+v", cut)
	}
}

func TestACorruptLedgerIsSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	if err := os.WriteFile(path, []byte("not a database, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, aside, err := Open(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if data, err := os.ReadFile(aside); err != nil || len(data) == 0 {
		t.Errorf("what was there is not kept: %v", err)
	}
	if _, err := l.Begin(attempt(noon)); err != nil {
		t.Errorf("the new ledger does not work: %v", err)
	}
}

func TestALedgerInUseIsNotSetAside(t *testing.T) {
	dir := t.TempDir()
	l := open1(t, dir)
	defer l.Close()
	if _, aside, err := Open(dir, noon); err == nil || aside != "" {
		t.Errorf("opened twice (%v), set aside %q", err, aside)
	}
}
