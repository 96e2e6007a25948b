package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"watchdog/rules"
)

func incident(onset time.Time, state rules.IncidentState) rules.Incident {
	return rules.Incident{
		ID: onset.UTC().Format(rules.IDTime) + "-service.dead", Cause: rules.On("service.dead", "nginx"), Onset: onset, State: state,
	}
}

// withThree is a ledger with three incidents: one open for eight days, and one of
// each of the last two days.
func withThree(t *testing.T, dir string) *Ledger {
	t.Helper()
	l := open1(t, dir)
	for _, in := range []rules.Incident{
		incident(noon.Add(-24*time.Hour), rules.IncidentHealed), incident(noon.Add(-8*24*time.Hour), rules.IncidentOpen), incident(noon.Add(-9*24*time.Hour), rules.IncidentGone),
		incident(noon, rules.IncidentOpen), incident(noon, rules.IncidentHealed), // over its earlier form
	} {
		if err := l.Incident(in); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// told lists the onsets of a history in days before noon, and its states.
func told(t *testing.T, h History, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, raw := range h.Incidents {
		var in rules.Incident
		if err := json.Unmarshal(raw, &in); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%.0f %s", noon.Sub(in.Onset).Hours()/24, in.State))
	}
	return out
}

func TestHistory(t *testing.T) {
	l := withThree(t, t.TempDir())
	defer l.Close()
	tests := []struct {
		name string
		q    Query
		want []string
	}{
		{"all, oldest first", Query{}, []string{"9 gone", "8 open", "1 healed", "0 healed"}},
		{"since, and what is open", Query{Since: noon.Add(-48 * time.Hour)}, []string{"8 open", "1 healed", "0 healed"}},
		{"by ID", Query{ID: incident(noon, "").ID}, []string{"0 healed"}},
		{"by the beginning of an ID", Query{ID: "202601"}, []string{"1 healed", "0 healed"}},
		{"by an ID that is none", Query{ID: "2027"}, []string{}},
	}
	for _, tt := range tests {
		h, err := l.History(tt.q)
		if diff := cmp.Diff(tt.want, told(t, h, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestAHistoryIsBounded(t *testing.T) {
	l := open1(t, t.TempDir())
	defer l.Close()
	for i := range 10 {
		in := incident(noon.Add(time.Duration(i)*time.Hour), rules.IncidentGone)
		in.Summary = strings.Repeat("x", historyBytes/4)
		if err := l.Incident(in); err != nil {
			t.Fatal(err)
		}
	}
	h, err := l.History(Query{})
	if err != nil || len(h.Incidents) != 3 || h.LeftOut != 7 {
		t.Fatalf("%d incidents and %d left out, %v", len(h.Incidents), h.LeftOut, err)
	}
	var newest rules.Incident
	if err := json.Unmarshal(h.Incidents[2], &newest); err != nil || !newest.Onset.Equal(noon.Add(9*time.Hour)) {
		t.Errorf("the newest is of %s, %v", newest.Onset, err)
	}
}

func TestAViewReadsWhatADaemonLeft(t *testing.T) {
	dir := t.TempDir()
	if _, err := View(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no ledger: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("looking made %v", left)
	}
	l := withThree(t, dir)
	rec := rules.Recording{Schema: 1, ID: "a", Started: noon, Lines: []rules.Line{{At: noon, Begin: new(rules.On("service.dead", "nginx"))}}}
	if err := l.Recording(rec); err != nil {
		t.Fatal(err)
	}
	if _, err := View(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("while a daemon has it: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := v.History(Query{})
	if got := told(t, h, err); len(got) != 4 {
		t.Errorf("incidents %v", got)
	}
	data, err := v.ReadRecording("a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rules.ParseRecording(data); err != nil || got.ID != "a" || len(got.Lines) != 1 {
		t.Errorf("recording %+v, %v", got, err)
	}
	if data, err := v.ReadRecording("b"); data != nil || err != nil {
		t.Errorf("a recording that is none: %q, %v", data, err)
	}
	if err := v.Incident(incident(noon, rules.IncidentOpen)); err == nil {
		t.Error("a view can be written to")
	}
	after, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if err != nil || string(before) != string(after) {
		t.Errorf("looking changed the ledger, %v", err)
	}
}

func TestAViewOfADamagedOrOldLedger(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ledger"), []byte("not a database, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := View(dir); err == nil {
		t.Error("a file that is no ledger is opened")
	}
	dir = t.TempDir()
	db, err := bbolt.Open(filepath.Join(dir, "ledger"), 0o600, nil) // with none of the buckets
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := v.History(Query{})
	if got := told(t, h, err); len(got) != 0 {
		t.Errorf("incidents %v", got)
	}
	if data, err := v.ReadRecording("a"); data != nil || err != nil {
		t.Errorf("recording %q, %v", data, err)
	}
}

func TestOldIncidentsAreForgotten(t *testing.T) {
	l := open1(t, t.TempDir())
	defer l.Close()
	for i := range incidentsKept/100 + 10 {
		if err := l.keep(incidents, fmt.Sprintf("%05d", i), []byte("{}"), incidentsKept/100); err != nil {
			t.Fatal(err)
		}
	}
	h, err := l.History(Query{})
	if err != nil || len(h.Incidents) < incidentsKept/100 || len(h.Incidents) > incidentsKept/100+1 {
		t.Errorf("%d are kept of at most %d, %v", len(h.Incidents), incidentsKept/100, err)
	}
}
