package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"watchdog/rules"
	"watchdog/rules/engine"
)

func explainCommand(at places) *cobra.Command {
	var (
		site         siteFlags
		asJSON, plan bool
	)
	c := &cobra.Command{
		Use:   "explain CODE [SUBJECT]",
		Short: "Say what a code means, and what would happen and happens about it",
		Long: `Say what a code means and what would happen: its mode on this site, its remedies
with what they cost, how long it has to last, the budget, and the guard rails
that bind it. Where an engine runs, also what it does about it right now, and
what holds it. With --plan, as root, what its first remedy would do now.`,
		Args: func(c *cobra.Command, args []string) error { return badUsage(cobra.RangeArgs(1, 2)(c, args)) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			table := rules.Table()
			i := slices.IndexFunc(table, func(r rules.Rule) bool { return string(r.Code) == args[0] })
			if i < 0 {
				return usageError{fmt.Errorf("no code %q%s; \"watchdog rules list\" lists them", args[0], didYouMean(args[0], codes()))}
			}
			if plan {
				return site.printFirst(c, table[i], args)
			}
			stack, known, err := site.there(c)
			if err != nil {
				return err
			}
			x := explainRule(table, table[i], subjectOf(args), stack, known)
			x.Now, x.NoEngine = at.doingAbout(c.Context(), args)
			if asJSON {
				return printJSON(c.OutOrStdout(), x)
			}
			x.print(c.OutOrStdout())
			return nil
		},
	}
	site.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&plan, "plan", false, "print what the first remedy would do now")
	return c
}

// there reads the site file if there is one. A default one that is broken is
// said and left aside: a code can be explained without.
func (f *siteFlags) there(c *cobra.Command) (stack rules.Stack, known bool, err error) {
	stack, err = loadAnySite(f.path, f.self)
	switch {
	case err == nil:
		return stack, true, nil
	case c.Flags().Changed("site"), c.Flags().Changed("host"):
		return stack, false, err
	case fileExists(f.path):
		fmt.Fprintf(c.ErrOrStderr(), "%v\n(explained without the site file)\n", err)
	}
	return rules.Stack{Self: rules.Host{Roles: []rules.Role{rules.RoleKeycloak}}}, false, nil
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// printFirst shows what the first remedy would do now, as heal --dry-run does.
func (f *siteFlags) printFirst(c *cobra.Command, r rules.Rule, args []string) error {
	if len(r.Remedies) == 0 {
		return fmt.Errorf("%s has no remedy from here; watchdog explain %s says what a person does", r.Code, r.Code)
	}
	subject := subjectOf(args)
	id := r.Remedy(0, subject)
	if len(args) == 1 && id != r.Remedies[0] {
		return usagef("the remedy is the subject's own: watchdog explain %s SUBJECT --plan", r.Code)
	}
	m, err := f.openAsRoot(c, "with --plan reads what only root may")
	if err != nil {
		return err
	}
	byID, err := m.remediesByID()
	if err != nil {
		return err
	}
	p, err := m.planOf(c.Context(), byID, id)
	switch {
	case err != nil:
		return err
	case p.Empty() || p.OnlyWaits():
		fmt.Fprintf(c.OutOrStdout(), "%s finds nothing to do\n", id)
		return nil
	}
	fmt.Fprintf(c.OutOrStdout(), "%s, plan %s\n", id, p.Hash())
	printPlan(c.OutOrStdout(), p.Lines(), p.Diff())
	return exitCode(exitFindings)
}

// doingAbout asks the engine what it does about a code right now, and says why
// it can't be asked, if it can't.
func (at places) doingAbout(ctx context.Context, args []string) (now []engine.FaultState, whyNot string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	snap, err := at.snapshot(ctx)
	if err != nil {
		return nil, err.Error()
	}
	for _, f := range snap.Faults {
		if string(f.Fault.Code) == args[0] && (len(args) == 1 || f.Fault.Subject == args[1]) {
			now = append(now, f)
		}
	}
	return now, ""
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
