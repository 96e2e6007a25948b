package drill

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"watchdog/rules/scenarios"
)

// Print writes the scores as a table for people. A time that a drill of its mode
// does not have is a dash.
func Print(w io.Writer, scores []Score) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "drill\tmode\tcause named\tdetect\tconfirm\theal\tbare fix\tbound\tcollateral\tresult")
	for _, s := range scores {
		ran := s.NotRun == ""
		heals, fixed := ran && s.Mode != scenarios.Report, ran && s.Mode != scenarios.Release
		fmt.Fprintln(t, strings.Join([]string{
			s.ID, string(s.Mode), cmp.Or(strings.Join(s.Named, ", "), "none"),
			seconds(s.Detect, ran), seconds(s.Confirm, heals), seconds(s.Heal, heals), seconds(s.Bare, fixed),
			seconds(s.Bound(), heals && fixed), cmp.Or(strings.Join(s.Collateral, ", "), "none"), s.result(),
		}, "\t"))
	}
	return t.Flush()
}

func seconds(n float64, has bool) string {
	if !has {
		return "–"
	}
	return fmt.Sprintf("%.2f s", n)
}
