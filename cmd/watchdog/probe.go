package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"watchdog/probes"
)

func probeCommand() *cobra.Command {
	var (
		site          siteFlags
		asJSON, watch bool
		every         time.Duration
	)
	c := &cobra.Command{
		Use:   "probe [ID…]",
		Short: "Run some probes, once or again and again",
		Long: `Run the named probes, or all. An ID may be a layer ("postgres" runs postgres.*).
With --watch they run again and again until interrupted.`,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := site.look(c.Context())
			if err != nil {
				return err
			}
			ps, err := choose(m.probes, args)
			if err != nil {
				return usageError{err}
			}
			for {
				rep := m.diagnose(c.Context(), ps)
				if asJSON {
					err = printJSON(c.OutOrStdout(), rep)
				} else {
					printProbes(c, rep)
				}
				if err != nil || !watch {
					return firstError(err, rep.exit())
				}
				if !pause(c.Context(), every) {
					return rep.exit()
				}
			}
		},
	}
	site.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&watch, "watch", false, "again and again, until interrupted")
	c.Flags().DurationVar(&every, "every", 2*time.Second, "with --watch: how often")
	return c
}

// choose picks probes by ID or layer, all when none is named.
func choose(all []probes.Probe, ids []string) ([]probes.Probe, error) {
	if len(ids) == 0 {
		return all, nil
	}
	var out []probes.Probe
	chosen := map[string]bool{}
	for _, id := range ids {
		found := false
		for _, p := range all {
			s := p.Spec()
			if s.ID != id && !strings.HasPrefix(s.ID, id+".") {
				continue
			}
			found = true
			if !chosen[s.ID] {
				chosen[s.ID] = true
				out = append(out, p)
			}
		}
		if !found {
			return nil, fmt.Errorf("no probe %q; there are %s", id, strings.Join(probeIDs(all), ", "))
		}
	}
	return out, nil
}

func probeIDs(ps []probes.Probe) []string {
	ids := make([]string, len(ps))
	for i, p := range ps {
		ids[i] = p.Spec().ID
	}
	return ids
}

func printProbes(c *cobra.Command, rep report) {
	w := c.OutOrStdout()
	for _, p := range rep.Probes {
		fmt.Fprintf(w, "%-24s %-8s %6.0f ms  %s\n", p.ID, p.State, p.Took*1000, p.Error)
	}
	for _, f := range slices.Concat(rep.Causes, rep.Undecided, rep.Symptoms) {
		f.print(w, "FOUND")
	}
}

// pause waits, and reports whether there is time for another round.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
