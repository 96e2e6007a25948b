package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"watchdog/packaging/lab"
	"watchdog/packaging/lab/drill"
)

func labCrash(o *lab.Options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "crash [DRILL…]",
		Short: "Kill the engine at every step of every remedy, and look what the next start does",
		Long: `For one drill of each remedy, or the named ones: break the host, and end the
engine as by kill -9 just before and just after each thing that its remedy does,
each time with the fault made anew. The next start has to finish or undo it, with
every file as it was. The lab has to run a build for drills (go build -tags drill).
Exit code 1 says that something was left half done.`,
		RunE: withLab(o, func(c *cobra.Command, l *lab.Lab, args []string) error {
			all, err := chooseDrills(args)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				all = drill.PerRemedy(all)
			}
			r := drill.Runner{Lab: l, Log: c.ErrOrStderr()}
			crashes, passed := []drill.Crash{}, true
			for i, s := range all {
				fmt.Fprintf(c.ErrOrStderr(), "crash %d of %d: %s\n", i+1, len(all), s.ID)
				more := r.Crashes(c.Context(), s, func(x drill.Crash) {
					crashes = append(crashes, x)
					passed = passed && x.Passed()
					fmt.Fprintf(c.ErrOrStderr(), "  %2d %-50s %v %.1f s %v\n", x.Number, x.Step, x.After, x.Took, x.Wrong)
				})
				if err = errors.Join(err, more); c.Context().Err() != nil {
					break
				}
			}
			if asJSON {
				err = errors.Join(err, printJSON(c.OutOrStdout(), map[string]any{"schema": 1, "crashes": crashes}))
			} else {
				err = errors.Join(err, drill.PrintCrashes(c.OutOrStdout(), crashes))
			}
			if err == nil && !passed {
				return exitCode(exitFindings)
			}
			return err
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
