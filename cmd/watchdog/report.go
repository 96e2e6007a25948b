package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/rules"
)

// A report is what diagnose prints. Its JSON is a contract (schema 1).
type report struct {
	Schema    int           `json:"schema"`
	Host      string        `json:"host"`
	At        time.Time     `json:"at"`
	Took      float64       `json:"took_seconds"`
	State     string        `json:"state"`
	Causes    []reportFault `json:"causes"`
	Symptoms  []reportFault `json:"symptoms"`
	Undecided []reportFault `json:"undecided"`
	Probes    []reportProbe `json:"probes"`
}

type reportFault struct {
	Code     probes.Code       `json:"code"`
	Subject  string            `json:"subject,omitempty"`
	Title    string            `json:"title"`
	Summary  string            `json:"summary"`
	Host     string            `json:"host"`
	Scope    rules.Scope       `json:"scope"`
	Severity rules.Severity    `json:"severity"`
	Mode     rules.Mode        `json:"mode"`
	Evidence []probes.Evidence `json:"evidence"`
	Fix      []rules.Fix       `json:"fix"`
	Explains []rules.Ref       `json:"explains,omitempty"`
	By       []rules.Ref       `json:"by,omitempty"`
	Unseen   []string          `json:"unseen,omitempty"`
}

type reportProbe struct {
	ID    string       `json:"id"`
	State probes.State `json:"state"`
	Took  float64      `json:"took_seconds"`
	Error string       `json:"error,omitempty"`
}

// States of a report.
const (
	stateOK      = "ok"
	stateFailing = "failing"
	stateUnknown = "unknown"
)

func newReport(s rules.Stack, seen []probes.Result, ds []rules.Diagnosis) report {
	r := report{
		Schema: 1, Host: s.Self.Name, State: stateOK,
		Causes: []reportFault{}, Symptoms: []reportFault{}, Undecided: []reportFault{}, Probes: []reportProbe{},
	}
	for _, p := range seen {
		rp := reportProbe{ID: p.Probe, State: p.State, Took: p.Took.Seconds()}
		if p.Err != nil {
			rp.Error = p.Err.Error()
			r.State = stateUnknown
		}
		r.Probes = append(r.Probes, rp)
	}
	policy := rules.Policy{Mode: s.Mode, Modes: s.Modes}
	for _, d := range ds {
		r.State = stateFailing
		f := reportFault{
			Code: d.Fault.Code, Subject: d.Fault.Subject, Title: d.Rule.Title, Summary: d.Finding.Summary,
			Host: s.Self.Name, Scope: d.Rule.Scope, Severity: d.Rule.Severity, Mode: policy.ModeOf(d.Rule),
			Evidence: d.Finding.Evidence, Fix: d.Rule.Fixes(policy.ModeOf(d.Rule), d.Finding),
			Explains: d.Explains, By: d.By, Unseen: d.Unseen,
		}
		if f.Scope == "" {
			f.Scope = rules.Here
		}
		switch d.Verdict {
		case rules.Cause:
			r.Causes = append(r.Causes, f)
		case rules.Symptom:
			r.Symptoms = append(r.Symptoms, f)
		case rules.Undecided:
			r.Undecided = append(r.Undecided, f)
		}
	}
	return r
}

// exit is the error that carries the report's exit code.
func (r report) exit() error {
	switch r.State {
	case stateFailing:
		return exitCode(exitFindings)
	case stateUnknown:
		return exitCode(exitBlind)
	}
	return nil
}

// print writes the report for a person: the verdict on the first line, causes
// first.
func (r report) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", r.Host, r.headline())
	for _, f := range r.Causes {
		f.print(w, "CAUSE")
	}
	for _, f := range r.Undecided {
		f.print(w, "UNDECIDED")
	}
	if len(r.Symptoms) > 0 {
		fmt.Fprintln(w, "\nSYMPTOMS, gone when their cause is")
		for _, f := range r.Symptoms {
			fmt.Fprintf(w, "  %-34s %s\n", rules.On(f.Code, f.Subject), f.Summary)
		}
	}
	fmt.Fprintln(w)
	for _, l := range r.layers() {
		fmt.Fprintf(w, "  %-10s %s\n", l.name, l.text())
	}
	for _, p := range r.Probes {
		if p.State == probes.Unknown {
			fmt.Fprintf(w, "  could not look: %s: %s\n", p.ID, p.Error)
		}
	}
}

func (r report) headline() string {
	looked := fmt.Sprintf("%d probes in %.2f s", len(r.Probes), r.Took)
	blind := 0
	for _, p := range r.Probes {
		if p.State == probes.Unknown {
			blind++
		}
	}
	switch {
	case len(r.Causes)+len(r.Undecided)+len(r.Symptoms) > 0:
		return fmt.Sprintf("%s, %s, %d undecided (%s)", count(len(r.Causes), "cause"), count(len(r.Symptoms), "symptom"), len(r.Undecided), looked)
	case blind > 0:
		return fmt.Sprintf("nothing wrong seen, but %d could not look (%s)", blind, looked)
	}
	return "all is well (" + looked + ")"
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (f reportFault) print(w io.Writer, head string) {
	fmt.Fprintf(w, "\n%s  %s  [%s]\n  %s\n", head, rules.On(f.Code, f.Subject), f.Severity, f.Summary)
	for _, e := range f.Evidence {
		printEvidence(w, e)
	}
	for _, x := range f.Fix {
		fmt.Fprintf(w, "  fix    %s\n", x)
	}
	if len(f.Explains) > 0 {
		fmt.Fprintf(w, "  explains %s\n", joinRefs(f.Explains))
	}
	if len(f.Unseen) > 0 {
		fmt.Fprintf(w, "  waits to see %s\n", strings.Join(f.Unseen, ", "))
	}
}

func printEvidence(w io.Writer, e probes.Evidence) {
	fmt.Fprintf(w, "  seen   %s: %s\n", e.Source, e.Got)
	fmt.Fprintf(w, "         wanted: %s\n", e.Want)
	if e.Command != "" {
		fmt.Fprintf(w, "         look:   %s\n", e.Command)
	}
}

func joinRefs(refs []rules.Ref) string {
	words := make([]string, len(refs))
	for i, r := range refs {
		words[i] = r.String()
	}
	return strings.Join(words, ", ")
}

// A layer counts the probes of one layer by their answers.
type layer struct {
	name                string
	ok, failing, unseen int
}

func (l layer) text() string {
	parts := []string{fmt.Sprintf("%d ok", l.ok)}
	if l.failing > 0 {
		parts = append(parts, fmt.Sprintf("%d failing", l.failing))
	}
	if l.unseen > 0 {
		parts = append(parts, fmt.Sprintf("%d could not look", l.unseen))
	}
	return strings.Join(parts, ", ")
}

// layers groups the probes by the first word of their ID, in their order.
func (r report) layers() []layer {
	var out []layer
	for _, p := range r.Probes {
		name, _, _ := strings.Cut(p.ID, ".")
		i := slices.IndexFunc(out, func(l layer) bool { return l.name == name })
		if i < 0 {
			i = len(out)
			out = append(out, layer{name: name})
		}
		switch p.State {
		case probes.OK:
			out[i].ok++
		case probes.Failing:
			out[i].failing++
		default:
			out[i].unseen++
		}
	}
	return out
}
