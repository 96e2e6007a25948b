package drill

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes the scores as a table for people.
func Print(w io.Writer, scores []Score) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "drill\tcause named\tdetect\tconfirm\theal\tbare fix\tbound\tcollateral\tresult")
	for _, s := range scores {
		result := "passed"
		if !s.Passed() {
			result = strings.Join(s.Wrong, "; ")
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f s\t%.2f s\t%.2f s\t%.2f s\t%.2f s\t%s\t%s\n", s.ID, cmp.Or(strings.Join(s.Named, ", "), "none"),
			s.Detect, s.Confirm, s.Heal, s.Bare, s.Bound(), cmp.Or(strings.Join(s.Collateral, ", "), "none"), result)
	}
	return t.Flush()
}
