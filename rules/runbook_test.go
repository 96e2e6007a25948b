package rules

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite RUNBOOK.md from the tables")

func TestRunbookIsCurrent(t *testing.T) {
	table, ps, _ := everything(t)
	var b bytes.Buffer
	if err := Runbook(&b, table, ps); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("RUNBOOK.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("RUNBOOK.md is not what the tables say (go test ./rules -update rewrites it; -have +want):\n%s", diff)
	}
}
