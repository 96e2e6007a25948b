package main

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// runInScript is a script's command "watchdog [<FILE] ARG…": a command line of
// root, its standard input from FILE. A path that begins with ./ is in the
// script's directory, which output calls "." too. Ahead is what stands ahead of
// an error.
func runInScript(ts *testscript.TestScript, neg bool, root *cobra.Command, args []string, ahead string) {
	root.SetIn(strings.NewReader(""))
	if name, ok := strings.CutPrefix(args[0], "<"); ok {
		root.SetIn(strings.NewReader(ts.ReadFile(name)))
		args = args[1:]
	}
	for i, a := range args {
		if strings.HasPrefix(a, "./") {
			args[i] = ts.MkAbs(a)
		}
	}
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err := root.Execute()
	if err != nil && !errors.As(err, new(exitCode)) {
		errs.WriteString(ahead + err.Error() + "\n")
	}
	here := func(b bytes.Buffer) []byte { return []byte(strings.ReplaceAll(b.String(), ts.MkAbs("."), ".")) }
	_, _ = ts.Stdout().Write(here(out))
	_, _ = ts.Stderr().Write(here(errs))
	ts.Setenv("status", strconv.Itoa(codeOf(err)))
	if (err != nil) != neg {
		ts.Fatalf("unexpected exit code %d\n%s%s", codeOf(err), out.String(), errs.String())
	}
}

// scriptStatus is a script's command "status N": the exit code of the last
// command line.
func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Getenv("status"); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
