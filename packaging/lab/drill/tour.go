package drill

import (
	"context"
	"fmt"
	"io"
	"strings"

	"watchdog/rules"
	"watchdog/rules/scenarios"
)

// tour are the faults that the tour shows: a process that dies, a service that
// is stopped beneath another, and a door that is left open.
var tour = []string{"kc-killed", "pg-stopped", "pg-hba-trust"}

// Tour shows the main job with words: a host that is well, three faults, and how
// each is found and healed. The lab has to be up.
func (r *Runner) Tour(ctx context.Context, out io.Writer) error {
	all, err := scenarios.All()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe lab is up: idp is a Debian host that \"watchdog install\" made into the identity\nprovider, and its engine is watching. This is what it says of itself:\n\n$ watchdog diagnose\n")
	if err := r.healthy(ctx, "idp"); err != nil {
		return err
	}
	if err := r.show(ctx, "idp", "watchdog diagnose", out); err != nil {
		return err
	}
	for i, id := range tour {
		for _, s := range all {
			if s.ID == id {
				fmt.Fprintf(out, "\n── fault %d of %d: %s ──\n%s\n\n", i+1, len(tour), s.ID, s.Prose)
				if err := r.act(ctx, s, out); err != nil {
					return fmt.Errorf("tour: %s: %w", s.ID, err)
				}
			}
		}
	}
	fmt.Fprint(out, `
That was the main job. To look around:
  watchdog lab exec idp -- watchdog status
  watchdog lab exec idp -- journalctl -u watchdog-engine -f
  watchdog lab drill            every fault in the book, one after the other
  watchdog lab down             takes everything away again
`)
	return nil
}

// act is one fault of the tour.
func (r *Runner) act(ctx context.Context, s scenarios.Scenario, out io.Writer) error {
	start, err := r.clock(ctx, s.Host)
	if err != nil {
		return err
	}
	for line := range strings.Lines(s.Break) {
		fmt.Fprintf(out, "# %s", line)
	}
	broken, err := r.atOnce(ctx, s)
	if err != nil {
		return fmt.Errorf("break: %w", err)
	}
	attempts, err := r.await(ctx, s.Host, start)
	if err != nil {
		return err
	}
	for _, a := range attempts {
		fmt.Fprintf(out, "\n  found   %s, %.1f s after it was broken\n", a.Fault, max(0, a.Seen.Sub(broken).Seconds()))
		fmt.Fprintf(out, "  sure    %.1f s later; remedy %s\n", a.At.Sub(a.Seen).Seconds(), a.Remedy)
		fmt.Fprintf(out, "  %-7s %.1f s after that, everything it explained is well again\n", a.Outcome, a.Ended.Sub(a.At).Seconds())
		if a.Outcome != rules.Healed {
			return fmt.Errorf("%s by %s: %s", a.Outcome, a.Remedy, a.Detail)
		}
	}
	return nil
}

// show prints what a command says in a host.
func (r *Runner) show(ctx context.Context, host, command string, out io.Writer) error {
	said, err := r.sh(ctx, host, command)
	if _, werr := out.Write(said); werr != nil {
		return werr
	}
	return err
}
