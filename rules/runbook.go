package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"watchdog/probes"
)

// Runbook writes the book for people, as Markdown: every fault with what it
// means, what can cause it, what is done about it and what a person types. Its
// headings are the codes, so that an alert can link to one.
func Runbook(w io.Writer, table []Rule, ps []probes.Probe) error {
	tells := NewBook(table, ps, nil).Tells
	var b strings.Builder
	b.WriteString("# Runbook\n\nMade from the rule book by `watchdog rules export`; do not edit it. SUBJECT stands for the thing at fault.\n")
	for _, r := range table {
		r = r.About("SUBJECT")
		fmt.Fprintf(&b, "\n## %s\n\n**%s.** %s\n\n", r.Code, r.Title, r.Explain)
		row := func(name string, items []string) {
			if len(items) > 0 {
				fmt.Fprintf(&b, "- %s: %s\n", name, strings.Join(items, ", "))
			}
		}
		row("severity", []string{string(r.Severity)})
		row("seen by", code(tells[r.Code]))
		row("done by itself", code(automatic(r)))
		if r.Door {
			b.WriteString("- it lets somebody in, so it is closed at once\n")
		}
		row("can be caused by", links(r.DependsOn))
		row("drill", code(nonEmpty(r.Drill)))
		if len(r.Fix) > 0 {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.Join(r.Fix, "\n"))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// automatic lists the remedies that the daemon runs without asking.
func automatic(r Rule) []string {
	if (Policy{}).ModeOf(r) != Auto {
		return nil
	}
	return r.Remedies
}

func code(items []string) []string {
	out := make([]string, len(items))
	for i, s := range items {
		out[i] = "`" + s + "`"
	}
	return out
}

// links points at the codes of the edges, each once.
func links(edges []Ref) []string {
	var out []string
	for _, e := range edges {
		anchor := strings.ReplaceAll(string(e.Code), ".", "")
		if l := fmt.Sprintf("[%s](#%s)", e.Code, anchor); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
