package probetest

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"watchdog/probes"
	"watchdog/probes/host"
)

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)
	codePattern = regexp.MustCompile(`^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$`)
)

// maxEvidence is the most one piece of evidence may hold, in bytes.
const maxEvidence = 1024

func checkSpec(t *testing.T, s probes.Spec) {
	if !idPattern.MatchString(s.ID) {
		t.Errorf("ID %q is not lower-case words between dots", s.ID)
	}
	if s.Summary == "" || strings.ContainsAny(s.Summary, "\n") || strings.HasSuffix(s.Summary, ".") {
		t.Errorf("summary %q is not one line without a full stop", s.Summary)
	}
	if s.Every <= 0 || s.Timeout <= 0 || s.Timeout > 10*time.Second {
		t.Errorf("every %s, timeout %s: both must be set, and no look may take longer than 10 s", s.Every, s.Timeout)
	}
	if len(s.Codes) == 0 {
		t.Error("no codes declared")
	}
	seen := map[probes.Code]bool{}
	for _, c := range s.Codes {
		if !codePattern.MatchString(string(c)) {
			t.Errorf("code %q is not layer.fault", c)
		}
		if seen[c] {
			t.Errorf("code %q is declared twice", c)
		}
		seen[c] = true
	}
	for _, w := range s.Wakes {
		if w.Kind == probes.WakeFile && !path.IsAbs(host.Layout{PostgresConf: "/etc"}.File(w.Name)) || w.Kind == probes.WakeUnit && w.Name == "" {
			t.Errorf("wake %s %q names nothing", w.Kind, w.Name)
		}
	}
}

// compare holds an answer against what the case wants.
func compare(t *testing.T, c Case, found []probes.Finding, err error) {
	t.Helper()
	if c.Err != "" {
		if err == nil || !strings.Contains(err.Error(), c.Err) {
			t.Errorf("error %v; want one with %q", err, c.Err)
		}
	} else if err != nil {
		t.Errorf("could not look: %v", err)
	}
	if diff := cmp.Diff(c.Want, names(found), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings (-want +got):\n%s%s", diff, inFull(t, found))
	}
	text := inFull(t, found)
	for _, s := range c.Says {
		if !strings.Contains(text, s) {
			t.Errorf("findings don't say %q:\n%s", s, text)
		}
	}
}

// names gives each finding as "code subject".
func names(found []probes.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, strings.TrimSpace(string(f.Code)+" "+f.Subject))
	}
	return out
}

// inFull gives findings as a person can read them in a test's log.
func inFull(t *testing.T, found []probes.Finding) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(found); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkFindings(t *testing.T, s probes.Spec, found []probes.Finding) {
	t.Helper()
	for _, f := range found {
		if !slices.Contains(s.Codes, f.Code) {
			t.Errorf("code %s is not declared", f.Code)
		}
		if f.Summary == "" || strings.Contains(f.Summary, "\n") || strings.HasSuffix(f.Summary, ".") {
			t.Errorf("%s: summary %q is not one sentence without a full stop", f.Code, f.Summary)
		}
		if len(f.Evidence) == 0 {
			t.Errorf("%s: no evidence", f.Code)
		}
		for _, e := range f.Evidence {
			text := e.Source + e.Want + e.Got + e.Command
			switch {
			case e.Source == "":
				t.Errorf("%s: evidence %+v has no source", f.Code, e)
			case len(text) > maxEvidence:
				t.Errorf("%s: evidence of %s holds %d bytes; at most %d", f.Code, e.Source, len(text), maxEvidence)
			case !utf8.ValidString(text):
				t.Errorf("%s: evidence of %s is not text: %q", f.Code, e.Source, text)
			}
		}
	}
	if text := inFull(t, found); strings.Contains(text, Secret) {
		t.Errorf("findings hold a secret:\n%s", text)
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), Secret) {
		t.Errorf("error holds a secret: %v", err)
	}
}

// checkAgain looks at the same machine again: the answer is the same and no
// goroutine is left. Those of kept connections are there since the first look
// and don't become more.
func checkAgain(t *testing.T, p probes.Probe, h *host.Host, within time.Duration, found []probes.Finding, err error) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	again, err2 := look(t, p, h, within)
	if diff := cmp.Diff(found, again, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a second look finds something else (-first +second):\n%s", diff)
	}
	if (err == nil) != (err2 == nil) {
		t.Errorf("error %v at first, %v at the second look", err, err2)
	}
	if leak := goleak.Find(before); leak != nil {
		t.Error(leak)
	}
}

// checkCancelled looks with a context that is over, and with one that ends
// meanwhile.
func checkCancelled(t *testing.T, p probes.Probe, h *host.Host) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found, err := observe(t, ctx, p, h, atOnce); err == nil || len(found) > 0 {
		t.Errorf("with a cancelled context: findings %v, error %v; want an error alone", names(found), err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	stop := time.AfterFunc(20*time.Millisecond, cancel)
	defer stop.Stop()
	defer cancel()
	observe(t, ctx, p, h, 20*time.Millisecond+atOnce)
}
