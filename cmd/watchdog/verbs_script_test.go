package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"watchdog/exporters/control"
	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// TestVerbs runs the scripts of testdata/verbs. Besides testscript's own
// commands they have
//
//	watchdog [<FILE] ARG…   a command line, its standard input from FILE
//	status N                the exit code of the last one
//	ledger FILE…            makes the ledger of incidents ({…}) and recordings
//	engine SNAPSHOT         starts to serve a snapshot, and the ledger
//
// The program's places are the script's directory; it has no site file but one
// that is named, and times are UTC.
func TestVerbs(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
	testscript.Run(t, testscript.Params{
		Dir: "testdata/verbs", UpdateScripts: *update, Condition: scriptCondition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"watchdog": scriptVerb, "ledger": scriptLedger, "engine": scriptEngine, "status": scriptStatus,
		},
	})
}

func scriptPlaces(ts *testscript.TestScript) places {
	return places{socket: ts.MkAbs("watchdog.sock"), state: ts.MkAbs("state")}
}

func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Getenv("status"); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func scriptVerb(ts *testscript.TestScript, neg bool, args []string) {
	root := rootCommandAt(scriptPlaces(ts))
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
		errs.WriteString("watchdog: " + err.Error() + "\n")
	}
	here := func(b bytes.Buffer) []byte { return []byte(strings.ReplaceAll(b.String(), ts.MkAbs("."), ".")) }
	_, _ = ts.Stdout().Write(here(out))
	_, _ = ts.Stderr().Write(here(errs))
	ts.Setenv("status", strconv.Itoa(codeOf(err)))
	if (err != nil) != neg {
		ts.Fatalf("unexpected exit code %d\n%s%s", codeOf(err), out.String(), errs.String())
	}
}

func scriptLedger(ts *testscript.TestScript, _ bool, files []string) {
	l, _, err := ledger.Open(scriptPlaces(ts).state, time.Now())
	ts.Check(err)
	defer l.Close()
	for _, f := range files {
		data := []byte(ts.ReadFile(f))
		if strings.HasPrefix(filepath.Base(f), "recording") {
			rec, err := rules.ParseRecording(data)
			ts.Check(err)
			ts.Check(l.Recording(rec))
			continue
		}
		var in rules.Incident
		ts.Check(json.Unmarshal(data, &in))
		ts.Check(l.Incident(in))
	}
}

func scriptEngine(ts *testscript.TestScript, _ bool, args []string) {
	at := scriptPlaces(ts)
	var snap engine.Snapshot
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &snap))
	led, _, err := ledger.Open(at.state, time.Now())
	ts.Check(err)
	s := control.Server{History: led.History, Recording: led.ReadRecording}
	s.Publish(snap)
	l, err := control.Listen(at.socket)
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	ts.Defer(func() {
		stop()
		ts.Check(errors.Join(<-done, led.Close()))
	})
}

// scriptCondition knows [root].
func scriptCondition(cond string) (bool, error) {
	if cond != "root" {
		return false, fmt.Errorf("no condition %q", cond)
	}
	return os.Geteuid() == 0, nil
}
