package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"watchdog/rules"
)

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
