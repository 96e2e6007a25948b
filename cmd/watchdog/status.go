package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"watchdog/exporters/control"
	"watchdog/probes"
	"watchdog/rules/engine"
)

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the running engine sees and does",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
			defer cancel()
			s, err := control.NewClient(control.Socket).Snapshot(ctx)
			if err != nil {
				fmt.Fprintf(c.ErrOrStderr(), "watchdog: %v\nis it running? systemctl status watchdog-engine.service (diagnose works without it)\n", err)
				return exitCode(exitBlind)
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
	for _, f := range s.Faults {
		fmt.Fprintf(w, "  %-9s %-34s %s\n            %s: %s\n", f.Verdict, f.Fault, f.Summary, f.Action.Kind, f.Action.Reason)
	}
	if s.Healing != nil {
		fmt.Fprintf(w, "  at work: %s against %s, %s so far\n", s.Healing.Remedy, s.Healing.Fault, s.At.Sub(s.Healing.At).Round(time.Second))
	}
	for _, p := range s.Probes {
		if p.State == probes.Unknown {
			fmt.Fprintf(w, "  blind     %-34s %s\n", p.ID, p.Error)
		}
	}
	if len(s.Recent) > 0 {
		fmt.Fprintln(w, "  attempts, newest last:")
	}
	for _, a := range s.Recent {
		fmt.Fprintf(w, "    %s  %-30s %-22s %-9s %s %s\n", a.At.Format(time.DateTime), a.Fault, a.Remedy, a.Outcome, a.Ended.Sub(a.At).Round(100*time.Millisecond), a.Detail)
	}
}
