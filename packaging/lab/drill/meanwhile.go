package drill

import (
	"context"
	"fmt"
	"slices"

	"watchdog/rules"
)

// besides reports whether an attempt is against the other fault of the row.
func (p *pass) besides(a rules.Attempt) bool {
	return p.Besides.Code != "" && matches(p.Besides, a.Fault)
}

// meanwhile breaks something else while the cause stands, and holds the engine to
// healing that.
func (r *Runner) meanwhile(ctx context.Context, p *pass) error {
	if p.Besides.Code == "" {
		return nil
	}
	if _, err := r.sh(ctx, p.Host, p.Meanwhile); err != nil {
		return fmt.Errorf("meanwhile: %w", err)
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		snap, err := r.status(ctx, p.Host)
		if err != nil {
			return err
		}
		made := madeSince(snap, p.start)
		i := slices.IndexFunc(made, p.besides)
		switch {
		case p.actedBeyond(snap, p.acts):
			return nil
		case i >= 0 && made[i].Outcome != rules.Healed:
			p.score.wrong("meanwhile, an attempt by %s %s: %s", made[i].Remedy, made[i].Outcome, made[i].Detail)
			return nil
		case i >= 0:
			p.score.Acted = append(p.score.Acted, made[i].Fault.String())
			if _, stands := p.standsIn(snap); !stands {
				p.score.wrong("gone when %s was healed: %s", p.Besides, faults(snap))
			}
			return nil
		}
		if !pause(limit) {
			p.score.wrong("meanwhile, %s was not healed: %s", p.Besides, faults(snap))
			return ctx.Err()
		}
	}
}
