package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/engine"
)

// An explanation is one row of the book with what it comes to on this host. Its
// JSON is schema 1.
type explanation struct {
	Schema   int            `json:"schema"`
	Code     probes.Code    `json:"code"`
	Title    string         `json:"title"`
	Explain  string         `json:"explain"`
	Severity rules.Severity `json:"severity"`
	Mode     rules.Mode     `json:"mode"`
	// Site says that the mode is this site's, not only the book's.
	Site     bool            `json:"of_site"`
	Door     bool            `json:"door"`
	Confirm  int             `json:"confirm"` // looks in a row
	For      float64         `json:"for_seconds"`
	Budget   engine.Budget   `json:"budget"`
	Remedies []explainedCure `json:"remedies"`
	Rails    []explainedRail `json:"rails"`
	SeenBy   []string        `json:"seen_by"` // probes
	CausedBy []rules.Ref     `json:"caused_by"`
	MayCause []probes.Code   `json:"may_cause"`
	Drill    string          `json:"drill,omitempty"`
	Fix      []string        `json:"fix"`
	// Now are the faults of this code that the engine sees; NoEngine says why
	// it could not be asked.
	Now      []engine.FaultState `json:"now"`
	NoEngine string              `json:"no_engine,omitempty"`
}

type explainedCure struct {
	ID string `json:"id"`
	// Here says that this host has it; the rest is empty if not.
	Here        bool          `json:"here"`
	Summary     string        `json:"summary,omitempty"`
	Risk        remedies.Risk `json:"risk"`
	Restarts    []string      `json:"restarts,omitempty"` // services that it may restart
	NeedsSecret bool          `json:"needs_secret"`
}

type explainedRail struct {
	Name string `json:"name"`
	Says string `json:"says"`
}

// explainRule says what a row comes to for one subject. Site says that stack is
// the site file's.
func explainRule(table []rules.Rule, r rules.Rule, subject string, stack rules.Stack, site bool) explanation {
	rule := r.About(subject)
	budget := r.Bounds()
	x := explanation{
		Schema: 1, Code: r.Code, Title: r.Title, Explain: rule.Explain, Severity: r.Severity, Door: r.Door,
		Mode: rules.Policy{Mode: stack.Mode, Modes: stack.Modes}.ModeOf(r), Site: site,
		Confirm: r.Confirmation(), For: r.For.Seconds(),
		Budget:   engine.Budget{Of: budget.Attempts, Within: budget.Within.Seconds()},
		Remedies: []explainedCure{}, Rails: []explainedRail{}, CausedBy: append([]rules.Ref{}, rule.DependsOn...),
		MayCause: dependants(r.Code, table), Drill: r.Drill, Fix: append([]string{}, rule.Fix...),
	}
	seen := rules.NewBook(table, append(rules.Probes(stack), rules.Drift{}), nil).Tells[r.Code]
	x.SeenBy = append([]string{}, seen...)
	cures := map[string]remedies.Spec{}
	if list, err := rules.Remedies(stack); err == nil { // an error is that this host has none
		for _, c := range append(list, rules.Rungs(stack)...) {
			cures[c.Spec().ID] = c.Spec()
		}
	}
	for _, id := range rule.Remedies {
		spec, here := cures[id]
		cure := explainedCure{ID: id, Here: here, Risk: spec.Risk, Restarts: spec.Services, NeedsSecret: spec.NeedsSecret}
		if site { // without one the names in it are missing
			cure.Summary = spec.Summary
		}
		x.Remedies = append(x.Remedies, cure)
	}
	if len(x.Remedies) > 0 {
		for _, rail := range rules.Rails(r) {
			x.Rails = append(x.Rails, explainedRail{rail[0], rail[1]})
		}
	}
	return x
}

// dependants lists the codes that this one can explain.
func dependants(code probes.Code, table []rules.Rule) []probes.Code {
	out := []probes.Code{}
	for _, r := range table {
		if slices.ContainsFunc(r.DependsOn, func(e rules.Ref) bool { return e.Code == code }) {
			out = append(out, r.Code)
		}
	}
	return out
}

func (x explanation) print(w io.Writer) {
	fmt.Fprintf(w, "%s — %s\n\n%s\n\n", x.Code, x.Title, x.Explain)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-13s %s\n", name, text)
		}
	}
	row("severity", string(x.Severity))
	row("mode", string(x.Mode)+x.whose())
	if x.Door {
		row("door", "yes: it lets somebody in, so it is closed at once, without confirmation")
	}
	for i, c := range x.Remedies {
		row([]string{"remedy", "then"}[min(i, 1)], c.String())
	}
	if len(x.Remedies) > 0 {
		row("acts", x.when())
	}
	var causes []string
	for _, c := range x.MayCause {
		causes = append(causes, string(c))
	}
	row("seen by", strings.Join(x.SeenBy, ", "))
	row("caused by", joinRefs(x.CausedBy))
	row("may cause", strings.Join(causes, ", "))
	row("drill", x.Drill)
	for _, f := range x.Fix {
		row("by hand", f)
	}
	for i, r := range x.Rails {
		row([]string{"guard rails", ""}[min(i, 1)], r.Name+": "+r.Says)
	}
	x.printNow(w)
}

func (x explanation) whose() string {
	if x.Site {
		return ", on this site"
	}
	return ", by the book"
}

// when says what has to come together for the first remedy to run.
func (x explanation) when() string {
	text := "at the first look that sees it"
	if x.Confirm > 1 {
		text = fmt.Sprintf("when %d looks in a row have seen it", x.Confirm)
	}
	if x.For > 0 {
		text += fmt.Sprintf(" and it has lasted %s", seconds(x.For))
	}
	text += fmt.Sprintf("; at most %d attempts within %s", x.Budget.Of, seconds(x.Budget.Within))
	if x.Mode == rules.Observe {
		return "never by itself, in this mode; otherwise " + text
	}
	if x.Mode == rules.Ask || slices.ContainsFunc(x.Remedies, func(c explainedCure) bool { return c.Risk >= remedies.DataLoss }) {
		text += "; once a person approves the plan (watchdog approve)"
	}
	return text
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (c explainedCure) String() string {
	if !c.Here {
		if strings.Contains(c.ID, "SUBJECT") {
			return c.ID + " (what it costs hangs on the subject)"
		}
		return c.ID + " (not on this host)"
	}
	text := c.ID
	if c.Summary != "" {
		text += ": " + c.Summary
	}
	text += "; risk " + c.Risk.String()
	if len(c.Restarts) > 0 {
		text += "; may restart " + strings.Join(c.Restarts, ", ")
	}
	if c.NeedsSecret {
		text += "; needs a secret"
	}
	return text
}

func (x explanation) printNow(w io.Writer) {
	switch {
	case x.NoEngine != "":
		fmt.Fprintf(w, "\nnow: not known: %s\n", x.NoEngine)
	case len(x.Now) == 0:
		fmt.Fprintf(w, "\nnow: the engine does not see it\n")
	default:
		fmt.Fprintf(w, "\nnow:\n")
	}
	for _, f := range x.Now {
		printFault(w, f)
	}
}
