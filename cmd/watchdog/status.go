package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"watchdog/probes"
	"watchdog/rules"
	"watchdog/rules/engine"
)

func statusCommand(at places) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the running engine sees and does, and what holds it",
		Long: `Show what the running engine sees: each fault with what is done about it and,
where nothing is, the guard rail that says so; whatever holds it even while all
is well (the kill switch, a pause, a package manager, a state directory that
can't be written); event sources that are lost; budgets that are spent in part;
the open incidents, and the attempts of late.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
			defer cancel()
			s, err := at.snapshot(ctx)
			if err != nil {
				return cannotTell(c, err)
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), s)
			} else {
				printStatus(c.OutOrStdout(), s)
			}
			switch {
			case err != nil:
				return err
			case s.State == stateFailing:
				return exitCode(exitFindings)
			case s.State == stateUnknown:
				return exitCode(exitBlind)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printStatus(w io.Writer, s engine.Snapshot) {
	fmt.Fprintf(w, "%s: %s, engine up %s\n", s.Host, s.State, s.At.Sub(s.Started).Round(time.Second))
	for _, why := range []string{s.Hold, s.Forgetful} {
		if why != "" {
			fmt.Fprintf(w, "  holds     %s\n", why)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Lost)) {
		fmt.Fprintf(w, "  lost      events of kind %s, polling goes on: %s\n", kind, s.Lost[kind])
	}
	for _, f := range s.Faults {
		printFault(w, f)
	}
	if s.Healing != nil {
		fmt.Fprintf(w, "  at work   %s against %s, %s so far\n", s.Healing.Remedy, s.Healing.Fault, s.At.Sub(s.Healing.At).Round(time.Second))
	}
	for _, p := range s.Probes {
		if p.State == probes.Unknown {
			fmt.Fprintf(w, "  blind     %-34s %s\n", p.ID, p.Error)
		}
	}
	for _, in := range s.Open {
		fmt.Fprintf(w, "  incident  %-34s since %s, %s: watchdog history %s\n", in.Cause, in.Onset.Local().Format(time.DateTime), count(in.Attempts, "attempt"), in.ID)
	}
	for _, b := range s.Budgets {
		fmt.Fprintf(w, "  budget    %-34s %s\n", b.For, left(b))
	}
	if len(s.Recent) > 0 {
		fmt.Fprintln(w, "  attempts, newest last:")
	}
	for _, a := range s.Recent {
		fmt.Fprintf(w, "    %s  %-30s %-22s %-9s %s %s\n", a.At.Local().Format(time.DateTime), a.Fault, a.Remedy, a.Outcome, a.Ended.Sub(a.At).Round(100*time.Millisecond), a.Detail)
	}
}

// printFault writes one fault and what is done about it.
func printFault(w io.Writer, f engine.FaultState) {
	fmt.Fprintf(w, "  %-9s %-34s %s\n            %s\n", f.Verdict, f.Fault, f.Summary, doing(f))
}

// doing says what is done about a fault, and if nothing, what holds it.
func doing(f engine.FaultState) string {
	a := f.Action
	text := string(a.Kind)
	if a.Remedy != "" {
		text += " " + a.Remedy
	}
	text += ": " + a.Reason
	if a.Rail != "" {
		text += fmt.Sprintf(" (guard rail: %s)", a.Rail)
	}
	if !a.Until.IsZero() {
		text += ", until " + a.Until.Local().Format(time.TimeOnly)
	}
	if f.Mode != "" && f.Mode != rules.Auto {
		text += "; mode " + string(f.Mode)
	}
	if f.Budget != nil {
		text += "; " + left(*f.Budget)
	}
	return text
}

func left(b engine.Budget) string {
	within := time.Duration(b.Within * float64(time.Second))
	return fmt.Sprintf("%d of %s within %s left", max(0, b.Of-b.Used), count(b.Of, "attempt"), within)
}
