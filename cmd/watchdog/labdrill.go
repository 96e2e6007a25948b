package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"watchdog/packaging/lab"
	"watchdog/packaging/lab/drill"
	"watchdog/rules/scenarios"
)

func labTour(o *lab.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "tour",
		Short: "Show the main job with words: up, install, three faults, healing",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := openLab(c, o)
			if err != nil {
				return err
			}
			if err := l.Up(c.Context()); err != nil {
				return err
			}
			r := drill.Runner{Lab: l, Log: c.ErrOrStderr()}
			return r.Tour(c.Context(), c.OutOrStdout())
		},
	}
}

func labDrill(o *lab.Options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "drill [ID…]",
		Short: "Break the lab in known ways and hold the program to its book",
		Long: `Break a healthy lab in the named ways, or in every way of the book, one after the
other. Each drill is run twice: once with the engine held, to check what diagnose
says and to time the fix a person would type, and once with the engine free, which
then has to find the one cause, heal it and prove it, restarting nothing else and
leaving every file as it was. Exit code 1 says that a drill was not passed.`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			all, _ := scenarios.All()
			return drillIDs(all), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			all, err := chooseDrills(args)
			if err != nil {
				return err
			}
			l, err := openLab(c, o)
			if err != nil {
				return err
			}
			return runDrills(c, drill.Runner{Lab: l, Log: c.ErrOrStderr()}, all, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func chooseDrills(ids []string) ([]scenarios.Scenario, error) {
	all, err := scenarios.All()
	if err != nil || len(ids) == 0 {
		return all, err
	}
	var out []scenarios.Scenario
	for _, id := range ids {
		i := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.ID == id })
		if i < 0 {
			return nil, badUsage(fmt.Errorf("no drill %q; there are %s", id, strings.Join(drillIDs(all), ", ")))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func drillIDs(all []scenarios.Scenario) []string {
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	return ids
}

func runDrills(c *cobra.Command, r drill.Runner, all []scenarios.Scenario, asJSON bool) error {
	scores := []drill.Score{}
	passed := true
	for i, s := range all {
		fmt.Fprintf(c.ErrOrStderr(), "drill %d of %d: %s\n", i+1, len(all), s.ID)
		score, err := r.Run(c.Context(), s)
		if err != nil {
			return err
		}
		passed = passed && score.Passed()
		scores = append(scores, score)
	}
	var err error
	if asJSON {
		err = printJSON(c.OutOrStdout(), map[string]any{"schema": 1, "drills": scores})
	} else {
		err = drill.Print(c.OutOrStdout(), scores)
	}
	if err == nil && !passed {
		return exitCode(exitFindings)
	}
	return err
}
