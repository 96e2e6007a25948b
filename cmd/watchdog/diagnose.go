package main

import (
	"context"
	"time"

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
	seen := m.lookAgain(ctx, ps, probes.Run(ctx, m.host, ps, nil))
	rep := newReport(m.stack, seen, rules.Diagnose(m.book, seen))
	rep.At = start
	rep.Took = m.host.Now().Sub(start).Seconds()
	return rep
}

// second is the time between the two looks at a fault.
const second = 250 * time.Millisecond

// lookAgain confirms what looks wrong: the probes that found something, and all
// that tell of what could explain it, look once more. In the instant of a fault
// its symptom is often seen before its cause. A look that took as long as the
// time between the two has seen that much already: what is silent is not waited
// for twice.
func (m *machine) lookAgain(ctx context.Context, ps []probes.Probe, seen []probes.Result) []probes.Result {
	again := map[string]bool{}
	for _, r := range seen {
		for _, f := range r.Findings {
			again[r.Probe] = true
			for _, id := range m.book.Beneath(rules.On(f.Code, f.Subject)) {
				again[id] = true
			}
		}
	}
	if len(again) == 0 || !pause(ctx, second) {
		return seen
	}
	var repeat []probes.Probe
	var at []int
	for i, p := range ps {
		if again[p.Spec().ID] && seen[i].Took < second {
			repeat, at = append(repeat, p), append(at, i)
		}
	}
	for i, r := range probes.Run(ctx, m.host, repeat, nil) {
		seen[at[i]] = r
	}
	return seen
}
