package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"watchdog/probes"
	"watchdog/remedies"
	"watchdog/rules"
)

func healCommand() *cobra.Command {
	var (
		site   siteFlags
		dryRun bool
	)
	c := &cobra.Command{
		Use:   "heal [CODE…]",
		Short: "Heal what is wrong now, or the named codes only",
		Long: `Look at everything, and run the first remedy of each cause, one after the other,
each proved by looking again and put back if it did not help. Symptoms are left
alone: they go with their cause. With --dry-run the plans are printed instead.
While /etc/watchdog/hold exists, or a pause lasts, nothing is changed.`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, code := range args {
				if !slices.Contains(codes(), code) {
					return badUsage(fmt.Errorf("no code %q%s", code, didYouMean(code, codes())))
				}
			}
			m, err := site.openAsRoot(c, changesHost)
			if err != nil {
				return err
			}
			if hold := m.policy().Hold; hold != "" && !dryRun {
				return fmt.Errorf("nothing is changed: %s", hold)
			}
			unlock, err := m.waitLock(c.Context(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			defer unlock()
			return m.heal(c.Context(), args, dryRun, c.OutOrStdout())
		},
	}
	site.add(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the plans, change nothing")
	return c
}

// errUnhealed says that something is still wrong; the output has said what.
var errUnhealed = exitCode(exitFindings)

func (m *machine) heal(ctx context.Context, only []string, dryRun bool, out io.Writer) error {
	byID, err := m.remediesByID()
	if err != nil {
		return err
	}
	seen := m.lookAgain(ctx, m.probes, probes.Run(ctx, m.host, m.probes, nil))
	ds := rules.Diagnose(m.book, seen)
	rep := newReport(m.stack, seen, ds)
	ds = slices.DeleteFunc(ds, func(d rules.Diagnosis) bool {
		return d.Verdict != rules.Cause || len(only) > 0 && !slices.Contains(only, string(d.Fault.Code))
	})
	if len(ds) == 0 {
		fmt.Fprintln(out, "nothing to heal: no such cause is there now")
		return rep.exit()
	}
	var failed error
	for _, d := range ds {
		fmt.Fprintf(out, "%s: %s\n", d.Fault, d.Finding.Summary)
		if mode := m.policy().ModeOf(d.Rule); mode != rules.Auto && !slices.Contains(only, string(d.Fault.Code)) {
			fmt.Fprintf(out, "  left alone: its mode is %s; name it to heal it: watchdog heal %s\n", mode, d.Fault.Code)
			failed = errUnhealed
			continue
		}
		if hold := m.policy().Hold; hold != "" && !dryRun {
			return fmt.Errorf("nothing more is changed: %s", hold)
		}
		if err := m.healOne(ctx, d, byID, dryRun, out); err != nil {
			if !errors.Is(err, errUnhealed) {
				fmt.Fprintf(out, "  %v\n", err)
			}
			failed = errUnhealed
		}
	}
	return failed
}

// healOne plans, applies and proves the first remedy of one cause.
func (m *machine) healOne(whole context.Context, d rules.Diagnosis, byID map[string]remedies.Remedy, dryRun bool, out io.Writer) error {
	if len(d.Rule.Remedies) == 0 {
		return errors.New("there is no remedy from here; watchdog diagnose says what a person does")
	}
	if what := d.Finding.Awaits; what != "" {
		return fmt.Errorf("nothing helps before %s", what)
	}
	id := d.Rule.Remedy(0, d.Fault.Subject)
	r := byID[id]
	if r == nil {
		return fmt.Errorf("there is no remedy %s on this host", id)
	}
	if !dryRun && m.gone(whole, d) == nil {
		fmt.Fprintln(out, "  gone meanwhile")
		return nil
	}
	ctx, cancel := context.WithTimeout(whole, r.Spec().Timeout)
	defer cancel()
	plan, err := m.journal.Plan(ctx, r, m.host)
	if err != nil {
		return err
	}
	if dryRun {
		printPlan(out, plan.Lines(), plan.Diff())
		return errUnhealed
	}
	if (plan.Empty() || plan.OnlyWaits()) && !m.journal.Left(plan.Remedy) {
		return fmt.Errorf("remedy %s finds nothing to do", plan.Remedy)
	}
	if err := m.journal.Apply(ctx, plan, m.hands, m.host, &printer{w: out}); err != nil {
		return err
	}
	proof, stop := context.WithTimeout(whole, proveTime)
	defer stop()
	err = remedies.Await(proof, func(ctx context.Context) error { return m.gone(ctx, d) })
	if err == nil {
		fmt.Fprintln(out, "  healed")
		return nil
	}
	if len(plan.Edits) == 0 || !errors.Is(err, errStill) || whole.Err() != nil {
		return err // what could not be seen to have failed stays
	}
	return errors.Join(fmt.Errorf("it did not help and is put back: %w", err), m.journal.Revert(whole, plan, m.hands, m.host, &printer{w: out}))
}

// planOf plans one remedy of this host, within its time.
func (m *machine) planOf(ctx context.Context, byID map[string]remedies.Remedy, id string) (remedies.Plan, error) {
	r := byID[id]
	if r == nil {
		return remedies.Plan{}, fmt.Errorf("there is no remedy %s on this host", id)
	}
	ctx, cancel := context.WithTimeout(ctx, r.Spec().Timeout)
	defer cancel()
	return m.journal.Plan(ctx, r, m.host)
}

// printPlan shows what a plan would do.
func printPlan(w io.Writer, lines []string, diff string) {
	for _, l := range lines {
		fmt.Fprintf(w, "  would %s\n", l)
	}
	fmt.Fprint(w, diff)
}

// errStill says that a fault was seen again after its remedy.
var errStill = errors.New("still there")

// gone reports whether the probes that found a fault find it no more.
func (m *machine) gone(ctx context.Context, d rules.Diagnosis) error {
	ps, err := choose(m.probes, d.Probes)
	if err != nil {
		return err
	}
	for _, r := range probes.Run(ctx, m.host, ps, nil) {
		if r.Err != nil {
			return fmt.Errorf("probe %s could not look: %w", r.Probe, r.Err)
		}
		for _, f := range r.Findings {
			if rules.On(f.Code, f.Subject) == d.Fault {
				return fmt.Errorf("%w: %s", errStill, f.Summary)
			}
		}
	}
	return nil
}
