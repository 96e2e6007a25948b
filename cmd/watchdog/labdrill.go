package main

import (
	"errors"
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
	var asJSON, resume bool
	c := &cobra.Command{
		Use:   "drill [ID…]",
		Short: "Break the lab in known ways and hold the program to its book",
		Long: `Break a healthy lab in the named ways, or in every way of the book, one after the
other. Each drill is run twice: once with the engine held, to check what diagnose
says and to time the fix a person would type, and once with the engine free, which
then has to find the one cause, heal it and prove it, restarting nothing else and
leaving every file as it was. What only a person can mend, or has to approve, the
engine has to leave alone until then, and to say so. Exit code 1 says that a drill
was not passed, or could not be run.`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			all, _ := scenarios.All()
			return drillIDs(all), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: withLab(o, func(c *cobra.Command, l *lab.Lab, args []string) error {
			all, err := chooseDrills(args)
			if err != nil {
				return err
			}
			return runDrills(c, drill.Runner{Lab: l, Log: c.ErrOrStderr()}, all, resume, asJSON)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&resume, "resume", false, "take over what these same programs have passed in this lab before")
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

func runDrills(c *cobra.Command, r drill.Runner, all []scenarios.Scenario, resume, asJSON bool) error {
	scores, err := r.All(c.Context(), all, resume)
	passed := !slices.ContainsFunc(scores, func(s drill.Score) bool { return !s.Passed() })
	var shown error
	switch {
	case len(scores) == 0 && err != nil: // the lab is not up
	case asJSON:
		shown = printJSON(c.OutOrStdout(), map[string]any{"schema": 1, "drills": scores})
	default:
		shown = drill.Print(c.OutOrStdout(), scores)
	}
	if err := errors.Join(err, shown); err != nil {
		return err
	}
	if !passed {
		return exitCode(exitFindings)
	}
	return nil
}
