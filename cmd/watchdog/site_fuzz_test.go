package main

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

// checkAny holds whatever a file may be to this: no panic, no message that
// could mislead a terminal or has no end, and nothing is taken that show can't
// write down again. It returns what the file is refused with.
func checkAny(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string) (message string) {
	t.Helper()
	_, d := parseSite("site.yaml", []byte(text), testBook)
	err := d.err()
	if err == nil {
		checkRoundTrip(t, text)
		return ""
	}
	message = err.Error()
	if len(message) > 100_000 {
		t.Fatalf("a message of %d bytes", len(message))
	}
	for _, r := range message {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("message holds %U: %q", r, message)
		}
	}
	for _, p := range d.problems {
		if p.Line < 0 || p.Line > len(d.lines) || p.Message == "" {
			t.Fatalf("problem in line %d of %d: %s", p.Line, len(d.lines), p.Message)
		}
	}
	return message
}

func FuzzSite(f *testing.F) {
	for _, name := range append(siteFiles(f, "bad-*.yaml"), siteFiles(f, "good-*.yaml")...) {
		f.Add(string(readFile(f, name)))
	}
	f.Add(smallest)
	f.Fuzz(func(t *testing.T, text string) { checkAny(t, text) })
}

// TestMangledSites changes the lines of good files, as tired people do.
func TestMangledSites(t *testing.T) {
	var sources []string
	for _, name := range siteFiles(t, "good-*.yaml") {
		text := string(readFile(t, name))
		if said := checkAny(t, text); said != "" {
			t.Errorf("%s is refused: %s", name, said)
		}
		sources = append(sources, text)
	}
	words := []string{
		"", "~", "''", "[]", "{}", "0", "-1", "65536", "1e3", "true", "yes", "on", "null", "30m", "0s", "21d", "::1", "fe80::1",
		"2001:db8::", "2001:db8:1::1", "192.0.2.1", "homer", "login", "keycloak", "ollama", "gateway", "ask", "auto", "observe",
		"example.org", "https://x.example.org/*", "http://[::1]:9999", "\"a: b\"", "'#'", "[login, homer]", "{name: x}", "|", "&a", "*a", "!!str x", "- x",
	}
	rapid.Check(t, func(t *rapid.T) {
		lines := strings.Split(rapid.SampledFrom(sources).Draw(t, "file"), "\n")
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			j := rapid.IntRange(0, len(lines)-1).Draw(t, "other")
			switch rapid.IntRange(0, 4).Draw(t, "change") {
			case 0:
				lines[i], lines[j] = lines[j], lines[i]
			case 1:
				lines[i] = ""
			case 2:
				lines[i] += "\n" + lines[i]
			case 3:
				lines[i] = " " + lines[i]
			case 4:
				if key, _, ok := strings.Cut(lines[i], ": "); ok {
					lines[i] = key + ": " + rapid.SampledFrom(words).Draw(t, "word")
				}
			}
		}
		checkAny(t, strings.Join(lines, "\n"))
	})
}

// TestAnyTextRoundTrips: free text survives YAML in both directions, whatever
// it looks like.
func TestAnyTextRoundTrips(t *testing.T) {
	letter := rapid.RuneFrom([]rune(" -#:?,[]{}&*!|>'\"%@`~=<\\.0129eExyntrufalsoié中🙂"), unicode.Latin, unicode.Han)
	rapid.Check(t, func(t *rapid.T) {
		display := rapid.StringOfN(letter, 1, 40, -1).Draw(t, "display")
		if strings.TrimSpace(display) != display || strings.ContainsFunc(display, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Skip("refused, and rightly")
		}
		text := smallest + "realm:\n  display: " + quoteYAML(display) + "\n"
		checkRoundTrip(t, text)
		f, _ := parseSite("site.yaml", []byte(text), testBook)
		if f.Realm.Display != display {
			t.Fatalf("%q is read as %q", display, f.Realm.Display)
		}
	})
}

func quoteYAML(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// TestHostileSites are read in a time that a person does not notice.
func TestHostileSites(t *testing.T) {
	many := func(s string, bytes int) string { return strings.Repeat(s, bytes/len(s)) }
	var keys strings.Builder
	for i := range 4900 {
		keys.WriteString("key" + strconv.Itoa(i) + ": v\n")
	}
	for name, c := range map[string]struct{ text, want string }{
		"brackets":    {many("[", siteMaxBytes), "words and signs"},
		"braces":      {many("{a: ", 20000), "nests deeper"},
		"dashes":      {many("- ", 20000), "nests deeper"},
		"questions":   {many("? ", siteMaxBytes), "words and signs"},
		"quotes":      {many(`"`, siteMaxBytes), "words and signs"},
		"colons":      {many(": ", 20000), "not YAML"},
		"keys":        {keys.String(), "and 4882 more"},
		"one word":    {many("a", siteMaxBytes), "must be a map"},
		"list":        {"a: [" + many("b,", siteMaxBytes-10) + "]", "words and signs"},
		"flow":        {"a: [" + many("{a: b},", 23000) + "]", "unknown key"},
		"blank block": {"a: |\n" + many(strings.Repeat(" ", 200)+"\n", siteMaxBytes-10), "more than 5000 lines"},
		"tall block":  {"a: |\n" + many(strings.Repeat(" ", 200)+"\n", 4900*201), "blocks of text"},
		"blank lines": {many(" \n", siteMaxBytes), "is empty"},
		"anchors":     {many("&a ", 12000), "anchors"},
		"at signs":    {many("@", siteMaxBytes), "words and signs"},
		"secrets":     {many("password: x\n", 4000*12), "a secret does not belong"},
		"tabs":        {many("\t\n", 9000) + "x", "a tab in the indentation"},
	} {
		began := time.Now()
		message := checkAny(t, c.text)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		if !strings.Contains(message, c.want) {
			t.Errorf("%s: %.300s, want %s", name, message, c.want)
		}
	}
}
