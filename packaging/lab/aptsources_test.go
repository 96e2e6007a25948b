package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func aptTree(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAllowedHosts(t *testing.T) {
	dir := aptTree(t, map[string]string{
		"sources.list": "# deb http://comment.example/debian bookworm main\n" +
			"deb [arch=amd64 signed-by=/x] http://one.example:8080/debian bookworm main contrib # why\n" +
			"deb-src http://source.example/debian bookworm main\ndeb file:/srv/repo ./\n",
		"sources.list.d/debian.sources": "Types: deb\n# http://snapshot.example/\nURIs: http://deb.example/debian\n https://two.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n" +
			"Types: deb-src\nURIs: http://src.example\nSuites: bookworm\n\nEnabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\n",
		"sources.list.d/vendor.list":          "deb https://vendor.example/apt stable main\n",
		"sources.list.d/vendor.list.disabled": "deb https://disabled.example/apt stable main\n",
	})
	got, err := allowedHosts(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"one.example:8080": "http", "deb.example": "http", "two.example": "https", "vendor.example": "https"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	text, err := hostSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"http://one.example:8080/debian", "http://two.example/debian", "Suites: bookworm bookworm-updates", "Components: main contrib\n"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "vendor") || strings.Contains(string(text), "https:") {
		t.Errorf("another vendor's source, or one the proxy cannot end:\n%s", text)
	}
}

func TestNoSourcesFallBack(t *testing.T) {
	dir := aptTree(t, nil)
	got, err := allowedHosts(dir)
	if err != nil || got["deb.debian.org"] != "http" {
		t.Errorf("%v, %v", got, err)
	}
	text, err := hostSources(dir)
	if err != nil || !strings.Contains(string(text), "bookworm-security") {
		t.Errorf("%s, %v", text, err)
	}
}
