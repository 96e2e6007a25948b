package main

import (
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
			"status":   scriptStatus,
		},
	})
}

func scriptWatchdog(ts *testscript.TestScript, neg bool, args []string) {
	root := &cobra.Command{Use: "watchdog", SilenceErrors: true, SilenceUsage: true}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badUsage(err) })
	root.AddCommand(siteCommand())
	runInScript(ts, neg, root, args, "")
}
