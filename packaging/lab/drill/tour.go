package drill

import (
	"context"
	"errors"
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

// act is one fault of the tour: broken and diagnosed under the kill switch, so
// that there is time to read, then left to the engine.
func (r *Runner) act(ctx context.Context, s scenarios.Scenario, out io.Writer) error {
	start, err := r.clock(ctx, s.Host)
	if err != nil {
		return err
	}
	if err := r.shown(ctx, s, out); err != nil {
		return err
	}
	released, err := r.clock(ctx, s.Host)
	if err != nil {
		return err
	}
	attempts, err := r.await(ctx, &pass{Scenario: s, start: start})
	if err != nil {
		return err
	}
	for _, a := range attempts {
		fmt.Fprintf(out, "  %s of %s by %s: begun %.1f s after the hold was taken off, proved %.1f s later\n",
			a.Outcome, a.Fault, a.Remedy, a.At.Sub(released).Seconds(), a.Ended.Sub(a.At).Seconds())
		if a.Outcome != rules.Healed {
			return fmt.Errorf("%s by %s: %s", a.Outcome, a.Remedy, a.Detail)
		}
	}
	return nil
}

// shown breaks the host under the kill switch and shows what diagnose says.
func (r *Runner) shown(ctx context.Context, s scenarios.Scenario, out io.Writer) (err error) {
	if _, err := r.sh(ctx, s.Host, "touch "+hold); err != nil {
		return err
	}
	defer func() {
		_, off := r.sh(context.WithoutCancel(ctx), s.Host, "rm -f "+hold)
		err = errors.Join(err, off)
	}()
	fmt.Fprintf(out, "# touch %s        (the engine looks, and changes nothing)\n", hold)
	for line := range strings.Lines(s.Break) {
		fmt.Fprintf(out, "# %s", line)
	}
	if _, err := r.sh(ctx, s.Host, s.Break+s.Settle); err != nil {
		return fmt.Errorf("break: %w", err)
	}
	fmt.Fprint(out, "# watchdog diagnose\n")
	// It exits with 1, because something is wrong.
	if err := r.show(ctx, s.Host, "watchdog diagnose; true", out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n# rm %s\n", hold)
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
