package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"watchdog/rules"
	"watchdog/rules/ledger"
)

// askTime bounds a question to the engine or the ledger.
const askTime = 10 * time.Second

func historyCommand(at places) *cobra.Command {
	var (
		since, recording string
		asJSON           bool
	)
	c := &cobra.Command{
		Use:   "history [ID]",
		Short: "Show what was wrong, what was done about it, and how long it took",
		Long: `Show the incidents of this host, newest last: each cause from its onset to its
end. Detect is what the look took that saw it first, lasted the time from its
onset to its end. With an ID, or as much of one as is unambiguous, one incident
in full; with --recording what the engine was told and decided meanwhile, for
"watchdog replay".

The engine is asked; where none runs the ledger itself is read, for which only
root may.`,
		Args: func(c *cobra.Command, args []string) error { return badUsage(cobra.MaximumNArgs(1)(c, args)) },
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), askTime)
			defer cancel()
			switch {
			case len(args) == 0 && recording != "":
				return usagef("say whose recording: watchdog history ID --recording FILE")
			case len(args) == 1 && since != "":
				return usagef("give an ID or --since, not both")
			case len(args) == 0:
				return listHistory(ctx, c, at, since, asJSON)
			}
			in, err := findIncident(ctx, at, args[0])
			switch {
			case errors.As(err, new(usageError)):
				return err
			case err != nil:
				return cannotTell(c, err)
			case recording != "":
				return saveRecording(ctx, c, at, in, recording)
			case asJSON:
				return printJSON(c.OutOrStdout(), shownOne{1, show(in)})
			}
			printIncident(c.OutOrStdout(), in)
			return nil
		},
	}
	c.Flags().StringVar(&since, "since", "", "only those that began within this `time`, as 7d, or are open")
	c.Flags().StringVar(&recording, "recording", "", "write the incident's recording to this `file`, - for standard output")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func listHistory(ctx context.Context, c *cobra.Command, at places, since string, asJSON bool) error {
	var q ledger.Query
	if since != "" {
		d, problem := parseSiteDuration(since)
		if problem != "" {
			return usagef("--since %q %s", since, problem)
		}
		q.Since = time.Now().Add(-d)
	}
	all, leftOut, err := incidents(ctx, at, q)
	if err != nil {
		return cannotTell(c, err)
	}
	if !asJSON {
		printHistory(c.OutOrStdout(), all, leftOut)
		return nil
	}
	shown := shownHistory{Schema: 1, Incidents: []shownIncident{}, LeftOut: leftOut}
	for _, in := range all {
		shown.Incidents = append(shown.Incidents, show(in))
	}
	return printJSON(c.OutOrStdout(), shown)
}

func incidents(ctx context.Context, at places, q ledger.Query) (all []rules.Incident, leftOut int, err error) {
	h, err := at.history(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	for _, raw := range h.Incidents {
		var in rules.Incident
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, 0, fmt.Errorf("read an incident: %w", err)
		}
		all = append(all, in)
	}
	return all, h.LeftOut, nil
}

// findIncident returns the one incident whose ID is id or begins with it.
func findIncident(ctx context.Context, at places, id string) (rules.Incident, error) {
	all, leftOut, err := incidents(ctx, at, ledger.Query{ID: id})
	if err != nil {
		return rules.Incident{}, err
	}
	if i := slices.IndexFunc(all, func(in rules.Incident) bool { return in.ID == id }); i >= 0 {
		return all[i], nil
	}
	switch len(all) {
	case 0:
		return rules.Incident{}, usagef("there is no incident %q; \"watchdog history\" lists them", id)
	case 1:
		return all[0], nil
	}
	var ids []string
	for _, in := range all[:min(len(all), 5)] {
		ids = append(ids, in.ID)
	}
	return rules.Incident{}, usagef("%d incidents begin with %q: %s", len(all)+leftOut, id, strings.Join(ids, ", "))
}

// saveRecording writes the recording of an incident, one thing a line where an
// editor is to find a place in it.
func saveRecording(ctx context.Context, c *cobra.Command, at places, in rules.Incident, file string) error {
	if err := needRootTo(c, "reads all that was seen"); err != nil {
		return err
	}
	if in.Recording == "" {
		return fmt.Errorf("no recording was made of incident %s", in.ID)
	}
	data, err := at.recording(ctx, in.Recording)
	if err != nil {
		return cannotTell(c, err)
	}
	if data == nil {
		return fmt.Errorf("recording %s is not written yet, or was forgotten; it is written when all has been well for a while", in.Recording)
	}
	text, err := indented(data)
	if err != nil {
		return fmt.Errorf("read recording %s: %w", in.Recording, err)
	}
	if file == "-" {
		_, err = c.OutOrStdout().Write(text)
		return err
	}
	if err := renameio.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "recording %s written to %s; watchdog replay %s\n", in.Recording, file, file)
	return nil
}
