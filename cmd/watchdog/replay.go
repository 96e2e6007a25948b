package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"watchdog/rules"
	"watchdog/rules/ledger"
)

func replayCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "replay FILE|-",
		Short: "Feed a recording to the present rules and compare what they decide",
		Long: `Feed a recording ("watchdog history ID --recording FILE") to the rules of this
version and print what was decided, moment by moment. A moment marked with ≠ is
one at which the present rules decide otherwise: - is what was, + what is. What
a remedy did then is taken as it was. Nothing on this host is looked at.

Exit code 0 says that all is the same, 1 that something differs, 2 that the file
is no recording.`,
		Args: func(c *cobra.Command, args []string) error { return badUsage(cobra.ExactArgs(1)(c, args)) },
		RunE: func(c *cobra.Command, args []string) error {
			rec, err := readRecording(c.InOrStdin(), args[0])
			if err != nil {
				return usageError{err}
			}
			moments := rules.Replay(rules.Table(), rec)
			different := slices.ContainsFunc(moments, func(m rules.Replayed) bool { return m.Different })
			if asJSON {
				err = printJSON(c.OutOrStdout(), replayed{1, rec.ID, rec.Host, rec.Started, different, rec.Cut, append([]rules.Replayed{}, moments...)})
			} else {
				printReplay(c.OutOrStdout(), rec, moments)
			}
			if err == nil && different {
				return exitCode(exitFindings)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// replayed is what replay prints as JSON, schema 1.
type replayed struct {
	Schema    int              `json:"schema"`
	Recording string           `json:"recording"`
	Host      string           `json:"host"`
	Started   time.Time        `json:"started"`
	Different bool             `json:"different"`
	Cut       string           `json:"cut,omitempty"`
	Moments   []rules.Replayed `json:"moments"`
}

// readRecording reads FILE or, for "-", in. What is wrong with it is told as
// FILE:LINE:COLUMN.
func readRecording(in io.Reader, file string) (rules.Recording, error) {
	if file == "-" {
		file = "stdin"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return rules.Recording{}, fmt.Errorf("read recording: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, ledger.RecordingMost+1))
	switch {
	case err != nil:
		return rules.Recording{}, fmt.Errorf("read recording: %w", err)
	case len(data) > ledger.RecordingMost:
		return rules.Recording{}, fmt.Errorf("read recording %s: larger than %d MiB", file, ledger.RecordingMost>>20)
	}
	rec, err := rules.ParseRecording(data)
	if err != nil {
		return rec, fmt.Errorf("%s:%w", file, err)
	}
	return rec, nil
}

func printReplay(w io.Writer, rec rules.Recording, moments []rules.Replayed) {
	fmt.Fprintf(w, "recording %s of %s, begun %s\n", rec.ID, rec.Host, rec.Started.Local().Format(time.DateTime))
	differ := 0
	var before []rules.Decision
	for _, m := range moments {
		if m.Different {
			differ++
		}
		printMoment(w, rec.Started, m, before)
		before = m.Is
	}
	if rec.Cut != "" {
		fmt.Fprintf(w, "it ends there: %s\n", rec.Cut)
	}
	if differ == 0 {
		fmt.Fprintf(w, "the present rules decide the same at all %d moments\n", len(moments))
		return
	}
	fmt.Fprintf(w, "the present rules decide otherwise at %d of %d moments\n", differ, len(moments))
}

// printMoment shows what is another decision than before, or where the present
// rules decide otherwise, both sides.
func printMoment(w io.Writer, start time.Time, m rules.Replayed, before []rules.Decision) {
	at := fmt.Sprintf("%+9.2f s", m.At.Sub(start).Seconds())
	line := func(mark string, d rules.Decision) {
		reason := ""
		if d.Reason != "" {
			reason = " (" + d.Reason + ")"
		}
		fmt.Fprintf(w, "%s %s %s%s\n", at, mark, d, reason)
		at = fmt.Sprintf("%11s", "")
	}
	if m.Different {
		fmt.Fprintf(w, "%s ≠\n", at)
		at = fmt.Sprintf("%11s", "")
		for _, d := range missing(m.Was, m.Is) {
			line("-", d)
		}
		for _, d := range missing(m.Is, m.Was) {
			line("+", d)
		}
		return
	}
	for _, d := range missing(m.Is, before) {
		line(" ", d)
	}
	for _, d := range before {
		if len(m.Is) > 0 && !slices.ContainsFunc(m.Is, func(e rules.Decision) bool { return e.Fault == d.Fault }) {
			fmt.Fprintf(w, "%s   %s is gone\n", at, d.Fault)
			at = fmt.Sprintf("%11s", "")
		}
	}
	if len(m.Is) == 0 {
		fmt.Fprintf(w, "%s   all is well\n", at)
	}
}

// missing returns the decisions of a that b does not have.
func missing(a, b []rules.Decision) []rules.Decision {
	var out []rules.Decision
	for _, d := range a {
		if !slices.ContainsFunc(b, func(e rules.Decision) bool { return e.String() == d.String() }) {
			out = append(out, d)
		}
	}
	return out
}
