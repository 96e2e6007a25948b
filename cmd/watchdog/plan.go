package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func planCommand() *cobra.Command {
	var (
		site   siteFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what install would change, as diffs",
		Long: `Show what install would change: each part of this host that is not as it should
be, what would be done, and the difference in each file, secrets redacted.
Nothing is changed. Exit code 1 says that there is something to change.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := site.look(c.Context())
			if err != nil {
				return err
			}
			changes, err := m.plan(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), map[string]any{"schema": 1, "host": m.stack.Self.Name, "changes": changes})
			} else {
				printChanges(c.OutOrStdout(), changes)
			}
			if err == nil && len(changes) > 0 {
				return exitCode(exitFindings)
			}
			return err
		},
	}
	site.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// A change is one remedy's plan, for showing.
type change struct {
	Remedy  string   `json:"remedy"`
	Summary string   `json:"summary"`
	Risk    string   `json:"risk"`
	Does    []string `json:"does"`
	Diff    string   `json:"diff,omitempty"`
	Waits   []string `json:"waits,omitempty"`
}

func (m *machine) plan(ctx context.Context) ([]change, error) {
	list, err := m.parts()
	if err != nil {
		return nil, err
	}
	changes := []change{}
	for _, r := range list {
		spec := r.Spec()
		one, cancel := context.WithTimeout(ctx, spec.Timeout)
		p, err := m.journal.Plan(one, r, m.host)
		cancel()
		if err != nil {
			return nil, err
		}
		if p.Empty() {
			continue
		}
		changes = append(changes, change{spec.ID, spec.Summary, spec.Risk.String(), p.Lines(), p.Diff(), p.Waits})
	}
	return changes, nil
}

func printChanges(w io.Writer, changes []change) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "no change: this host is as the site file says")
		return
	}
	for _, c := range changes {
		fmt.Fprintf(w, "%s — %s (risk: %s)\n", c.Remedy, c.Summary, c.Risk)
		for _, l := range c.Does {
			fmt.Fprintf(w, "  %s\n", l)
		}
		if c.Diff != "" {
			fmt.Fprintln(w, c.Diff)
		}
	}
	fmt.Fprintf(w, "%d parts would change; \"watchdog install\" does it\n", len(changes))
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
