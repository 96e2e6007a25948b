package main

import (
	"context"

	"github.com/spf13/cobra"

	"watchdog/probes"
	"watchdog/rules"
)

func diagnoseCommand() *cobra.Command {
	var (
		site   siteFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "diagnose",
		Short: "Say what is wrong on this host, why, and what to do",
		Long: `Look at everything at once and say what is wrong: causes first, each with what
was seen and what is done about it, then the symptoms each explains. It needs
neither the daemon nor root; what it could not look at it names.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := site.look(c.Context())
			if err != nil {
				return err
			}
			rep := m.diagnose(c.Context(), m.probes)
			if asJSON {
				if err := printJSON(c.OutOrStdout(), rep); err != nil {
					return err
				}
			} else {
				rep.print(c.OutOrStdout())
			}
			return rep.exit()
		},
	}
	site.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// diagnose runs ps once, all together, and sorts out what they saw.
func (m *machine) diagnose(ctx context.Context, ps []probes.Probe) report {
	start := m.host.Now()
	seen := probes.Run(ctx, m.host, ps, nil)
	rep := newReport(m.stack, seen, rules.Diagnose(m.book, seen))
	rep.At = start
	rep.Took = m.host.Now().Sub(start).Seconds()
	return rep
}
