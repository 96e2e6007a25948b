package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"watchdog/probes"
	"watchdog/rules"
)

func explainCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain CODE [SUBJECT]",
		Short: "Say what a code means, what depends on it, and what is done about it",
		Args:  func(c *cobra.Command, args []string) error { return badUsage(cobra.RangeArgs(1, 2)(c, args)) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			table := rules.Table()
			i := slices.IndexFunc(table, func(r rules.Rule) bool { return string(r.Code) == args[0] })
			if i < 0 {
				return usageError{fmt.Errorf("no code %q%s; \"watchdog rules list\" lists them", args[0], didYouMean(args[0], codes()))}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), table[i])
			}
			explain(c.OutOrStdout(), table[i].About(subjectOf(args)), table)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// subjectOf is the subject that was given, or a word that stands for one.
func subjectOf(args []string) string {
	if len(args) > 1 {
		return args[1]
	}
	return "SUBJECT"
}

func codes() []string {
	var out []string
	for _, r := range rules.Table() {
		out = append(out, string(r.Code))
	}
	slices.Sort(out)
	return out
}

// didYouMean names the nearest of the known words, if one is near.
func didYouMean(word string, known []string) string {
	if near := siteNearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func explain(w io.Writer, r rules.Rule, table []rules.Rule) {
	fmt.Fprintf(w, "%s — %s\n\n%s\n\n", r.Code, r.Title, r.Explain)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-13s %s\n", name, text)
		}
	}
	row("severity", string(r.Severity))
	row("mode", string(rules.Policy{}.ModeOf(r)))
	if r.Door {
		row("door", "yes: it lets somebody in, so it is closed at once, without confirmation")
	}
	row("remedies", strings.Join(r.Remedies, ", then "))
	row("caused by", joinRefs(r.DependsOn))
	row("may cause", dependants(r.Code, table))
	row("drill", r.Drill)
	for _, f := range r.Fix {
		row("by hand", f)
	}
}

// dependants lists the codes that this one can explain.
func dependants(code probes.Code, table []rules.Rule) string {
	var out []string
	for _, r := range table {
		if slices.ContainsFunc(r.DependsOn, func(e rules.Ref) bool { return e.Code == code }) {
			out = append(out, string(r.Code))
		}
	}
	return strings.Join(out, ", ")
}

func rulesCommand() *cobra.Command {
	c := &cobra.Command{Use: "rules", Short: "Show the rule book"}
	list := &cobra.Command{
		Use:   "list",
		Short: "List every code with its title, mode and remedies",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, r := range rules.Table() {
				fmt.Fprintf(c.OutOrStdout(), "%-32s %-8s %-7s %-60s %s\n", r.Code, r.Severity, rules.Policy{}.ModeOf(r), r.Title, strings.Join(r.Remedies, " "))
			}
			return nil
		},
	}
	var site siteFlags
	export := &cobra.Command{
		Use:   "export",
		Short: "Print the runbook: every code for people, as Markdown",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			stack, err := loadAnySite(site.path, site.self)
			if err != nil {
				return err
			}
			return rules.Runbook(c.OutOrStdout(), rules.Table(), append(rules.Probes(stack), rules.Drift{}))
		},
	}
	site.add(export)
	c.AddCommand(list, export)
	return c
}
