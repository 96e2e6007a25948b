package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"watchdog/exporters/control"
	"watchdog/rules"
	"watchdog/rules/engine"
	"watchdog/rules/ledger"
)

// TestMain sets the one zone that all tests print times in.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// TestVerbs runs the scripts of testdata/verbs. Besides testscript's own
// commands they have
//
//	watchdog [<FILE] ARG…   a command line, its standard input from FILE
//	status N                the exit code of the last one
//	ledger FILE…            makes the ledger of incidents ({…}) and recordings
//	engine SNAPSHOT         starts to serve a snapshot, and the ledger
//
// The program's places are the script's directory; it has no site file but one
// that is named.
func TestVerbs(t *testing.T) {
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

func scriptVerb(ts *testscript.TestScript, neg bool, args []string) {
	runInScript(ts, neg, rootCommandAt(scriptPlaces(ts)), args, "watchdog: ")
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
