package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReadmeNamesEveryDependency compares the README's table with go.mod.
func TestReadmeNamesEveryDependency(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := readme(t)
	direct := map[string]bool{}
	for _, m := range strings.Fields(string(out)) {
		direct[m] = true
		if !strings.Contains(text, "| "+m+" |") {
			t.Errorf("%s is not in the README's table", m)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z0-9.]+\.[a-z]+/[^ ]+) \|`).FindAllStringSubmatch(text, -1) {
		if !direct[m[1]] {
			t.Errorf("the README names %s, which go.mod does not", m[1])
		}
	}
}

// TestReadmesVerbsExist runs every "watchdog VERB" of the README as far as its
// help.
func TestReadmesVerbsExist(t *testing.T) {
	for _, m := range regexp.MustCompile("watchdog ([a-z]+)( [a-z]+)?").FindAllStringSubmatch(readme(t), -1) {
		c, _, err := rootCommand().Find([]string{m[1]})
		if err != nil || c.Name() != m[1] {
			if _, known := map[string]bool{"is": true, "does": true}[m[1]]; !known {
				t.Errorf("the README speaks of %q: %v", m[0], err)
			}
		}
	}
}

// TestCIRunsTheReadmesCommand holds .ci/run to the test command of the README.
func TestCIRunsTheReadmesCommand(t *testing.T) {
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^    (go test [^#\n]*?) *(#.*)?$`).FindStringSubmatch(readme(t))
	if command == nil || !strings.Contains(string(ci), command[1]+"\n") {
		t.Errorf("README's test command %q is not what .ci/run runs", command)
	}
}
