package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"watchdog/rules"
)

// A shownIncident is one as JSON, with its times in seconds.
type shownIncident struct {
	rules.Incident
	Detect float64  `json:"detect_seconds"`
	Lasted *float64 `json:"lasted_seconds,omitempty"` // once it has ended
}

// shownHistory and shownOne are what history prints as JSON, schema 1.
type shownHistory struct {
	Schema    int             `json:"schema"`
	Incidents []shownIncident `json:"incidents"`
	LeftOut   int             `json:"left_out"` // older ones, for their number
}

type shownOne struct {
	Schema   int           `json:"schema"`
	Incident shownIncident `json:"incident"`
}

func show(in rules.Incident) shownIncident {
	s := shownIncident{Incident: in, Detect: in.Detected.Sub(in.Onset).Seconds()}
	if !in.Ended.IsZero() {
		lasted := in.Ended.Sub(in.Onset).Seconds()
		s.Lasted = &lasted
	}
	return s
}

func indented(data []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(data), "", " "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func printHistory(w io.Writer, all []rules.Incident, leftOut int) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no incident is known")
		return
	}
	if leftOut > 0 {
		fmt.Fprintf(w, "(%d older ones are left out; --since chooses)\n", leftOut)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BEGAN\tCAUSE\tSTATE\tDETECT\tLASTED\tATTEMPTS\tID")
	for _, in := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", in.Onset.Local().Format(time.DateTime), in.Cause, in.State,
			inSeconds(in.Detected.Sub(in.Onset)), lasted(in), len(in.Attempts), in.ID)
	}
	_ = t.Flush() // an error is the reader's going away
}

func lasted(in rules.Incident) string {
	if in.Ended.IsZero() {
		return "-"
	}
	return inSeconds(in.Ended.Sub(in.Onset))
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// printIncident writes one incident in full. Its times count from its onset.
func printIncident(w io.Writer, in rules.Incident) {
	fmt.Fprintf(w, "%s  [%s]  %s\n  %s: %s\n", in.Cause, in.Severity, in.State, in.Title, in.Summary)
	for _, e := range in.Evidence {
		printEvidence(w, e)
	}
	if len(in.Explains) > 0 {
		fmt.Fprintf(w, "  explains %s\n", joinRefs(in.Explains))
	}
	at := func(t time.Time) string { return fmt.Sprintf("%+9.2f s", t.Sub(in.Onset).Seconds()) }
	fmt.Fprintf(w, "\nbegan      %s on %s, incident %s\ndetected  %s\n", in.Onset.Local().Format("2006-01-02 15:04:05.000"), in.Host, in.ID, at(in.Detected))
	if !in.Ended.IsZero() {
		fmt.Fprintf(w, "ended     %s\n", at(in.Ended))
	}
	if len(in.Attempts) > 0 {
		fmt.Fprintln(w, "\nattempts")
	}
	for _, a := range in.Attempts {
		fmt.Fprintf(w, "  %s  %s, rung %d: %s after %s%s\n", at(a.At), a.Remedy, a.Rung, a.Outcome, inSeconds(a.Ended.Sub(a.At)), afterColon(a.Detail))
	}
	fmt.Fprintln(w, "\ntimeline")
	for _, m := range in.Timeline {
		fmt.Fprintf(w, "  %s  %s\n", at(m.At), m.What)
	}
	if in.Recording != "" {
		fmt.Fprintf(w, "\nrecorded: watchdog history %s --recording FILE\n", in.ID)
	}
}

func afterColon(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}
