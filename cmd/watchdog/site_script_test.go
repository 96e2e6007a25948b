package main

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestSiteVerbs runs the scripts of testdata/site/script. Besides testscript's
// own commands they have
//
//	watchdog [<FILE] ARG…   a command line, its standard input from FILE
//	status N                the exit code of the last one
//
// A path that begins with ./ is in the script's directory, which output calls
// "." too.
func TestSiteVerbs(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/site/script", UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"watchdog": scriptWatchdog,
			"status": func(ts *testscript.TestScript, _ bool, args []string) {
				if got := ts.Getenv("status"); got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
			},
		},
	})
}

func scriptWatchdog(ts *testscript.TestScript, neg bool, args []string) {
	root := &cobra.Command{Use: "watchdog", SilenceErrors: true, SilenceUsage: true}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badUsage(err) })
	root.AddCommand(siteCommand())
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
		errs.WriteString(err.Error() + "\n")
	}
	here := func(b bytes.Buffer) []byte { return []byte(strings.ReplaceAll(b.String(), ts.MkAbs("."), ".")) }
	_, _ = ts.Stdout().Write(here(out))
	_, _ = ts.Stderr().Write(here(errs))
	ts.Setenv("status", strconv.Itoa(codeOf(err)))
	if (err != nil) != neg {
		ts.Fatalf("unexpected exit code %d\n%s%s", codeOf(err), out.String(), errs.String())
	}
}
