package remedies

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watchdog/probes/host"
)

// undoTime bounds putting a plan back, whatever became of the caller's context.
const undoTime = 2 * time.Minute

// A Progress hears of each thing a plan does, before and after. It may refuse
// by returning an error from Begin, which counts as the failure of that thing:
// so the ledger's journal can insist on being written first.
type Progress interface {
	Begin(what string) error
	End(what string, err error)
}

// Apply does exactly what p says, or puts everything back that can be. What was
// found wrong by trying, in this order of events:
//
//   - an edit that returns an error may have taken effect all the same (renamed,
//     then the sync failed), so it is undone too – except after ErrStale, which
//     proves that nothing was written;
//   - when an effect fails the edits are undone and then the effects repeated,
//     or the service would run on with the new configuration;
//   - nothing of that after ErrStale on the first edit: repeating effects would
//     restart a healthy service onto somebody else's half-made change.
func (p Plan) Apply(ctx context.Context, w Hands, h *host.Host, pr Progress) error {
	if len(p.Waits) > 0 {
		return waitsError(p)
	}
	a := &application{ctx: ctx, w: w, h: h, pr: pr}
	for _, s := range p.Steps {
		if err := a.step(s); err != nil {
			return err
		}
	}
	for _, e := range p.Edits {
		if err := a.edit(e); err != nil {
			return a.back(err)
		}
	}
	for _, g := range p.Gates {
		if err := a.tell(g.String(), func() error { return g.Pass(ctx, w) }); err != nil {
			return a.back(fmt.Errorf("%s: %w", g, err))
		}
	}
	for _, e := range p.Effects {
		a.effects = append(a.effects, e)
		if err := a.effect(ctx, e); err != nil {
			return a.back(err)
		}
	}
	return nil
}

// Revert undoes the plan's edits, last first, and repeats its effects so that
// what runs is again what ran before. The engine calls it when the proof fails.
func (p Plan) Revert(ctx context.Context, w Hands, h *host.Host, pr Progress) error {
	a := &application{ctx: ctx, w: w, h: h, pr: pr, done: p.Edits}
	if len(p.Edits) > 0 {
		a.effects = p.Effects
	}
	return a.undo()
}

// An application is one Apply or Revert under way.
type application struct {
	ctx     context.Context
	w       Hands
	h       *host.Host
	pr      Progress
	done    []Edit   // to undo, in the order they were done
	effects []Effect // to repeat after undoing
}

func (a *application) tell(what string, f func() error) error {
	if a.pr == nil {
		return f()
	}
	if err := a.pr.Begin(what); err != nil {
		return err
	}
	err := f()
	a.pr.End(what, err)
	return err
}

func (a *application) step(s Step) error {
	done, err := s.Done(a.ctx, a.h)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	if done {
		return nil
	}
	return a.tell(s.String(), func() error {
		if err := s.Do(a.ctx, a.w, a.h); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		return nil
	})
}

func (a *application) edit(e Edit) error {
	err := a.tell(e.String(), func() error {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		return e.Do(a.ctx, a.w)
	})
	if err != nil {
		if !errors.Is(err, ErrStale) {
			a.done = append(a.done, e)
		}
		return fmt.Errorf("%s: %w", e, err)
	}
	a.done = append(a.done, e)
	return nil
}

func (a *application) effect(ctx context.Context, e Effect) error {
	return a.tell(e.String(), func() error {
		if err := e.Do(ctx, a.w); err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
		if err := e.Settled(ctx, a.h); err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
		return nil
	})
}

// back puts everything back after err and returns err with whatever went wrong
// in doing so.
func (a *application) back(err error) error {
	if undo := a.undo(); undo != nil {
		return errors.Join(err, fmt.Errorf("put back: %w", undo))
	}
	return err
}

func (a *application) undo() error {
	if len(a.done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), undoTime)
	defer cancel()
	var errs []error
	for i := len(a.done) - 1; i >= 0; i-- {
		e := a.done[i]
		what := "undo: " + e.String()
		if err := a.tell(what, func() error { return e.Undo(ctx, a.w) }); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	for _, e := range a.effects {
		if err := a.effect(ctx, e); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
