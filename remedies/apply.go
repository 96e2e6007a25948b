package remedies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/probes/host"
)

// undoTime bounds putting a plan back, whatever became of the caller's context:
// one service that is slow to stop and slow to start.
const undoTime = 4 * time.Minute

// ErrNotBack says that a failed plan could not be put back whole: what is left
// has to be finished by the next run, or by a person.
var ErrNotBack = errors.New("could not put back")

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
//     or the service would run on with the new configuration; one that did not
//     run before is stopped instead ([Do]);
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
			return a.back(named(g.String(), err))
		}
	}
	if len(a.done) > 0 {
		a.was = look(ctx, h, p.Effects)
	}
	for _, e := range p.Effects {
		if err := a.effect(ctx, e); err != nil {
			return a.back(err)
		}
	}
	return nil
}

// Revert undoes the plan's edits, last first, and repeats its effects so that
// what runs is again what ran before. The engine calls it when the proof fails.
func (p Plan) Revert(ctx context.Context, w Hands, h *host.Host, pr Progress) error {
	a := &application{ctx: ctx, w: w, h: h, pr: pr, done: p.Edits, effects: p.Effects, was: p.made()}
	return a.undo()
}

// An application is one Apply or Revert under way.
type application struct {
	ctx     context.Context
	w       Hands
	h       *host.Host
	pr      Progress
	done    []Edit   // to undo, in the order they were done
	effects []Effect // to take back or repeat when they are
	was     services // before the first effect
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
	if err == nil && !done {
		err = a.tell(s.String(), func() error { return s.Do(a.ctx, a.w, a.h) })
	}
	return named(s.String(), err)
}

func (a *application) edit(e Edit) error {
	err := a.tell(e.String(), func() error {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		err := e.Do(a.ctx, a.w)
		if !errors.Is(err, ErrStale) {
			a.done = append(a.done, e)
		}
		return err
	})
	return named(e.String(), err)
}

func (a *application) effect(ctx context.Context, e Effect) error {
	err := a.tell(e.String(), func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.effects = append(a.effects, e)
		if err := e.Do(ctx, a.w); err != nil {
			return err
		}
		return e.Settled(ctx, a.h)
	})
	return named(e.String(), err)
}

// named says what err befell, unless it begins with that.
func named(what string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), what+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// back puts everything back after err and returns err with whatever went wrong
// in doing so.
func (a *application) back(err error) error {
	if undo := a.undo(); undo != nil {
		return errors.Join(err, fmt.Errorf("%w: %w", ErrNotBack, undo))
	}
	return err
}

// undo goes on whatever fails: the rest is all the more to be put back.
func (a *application) undo() error {
	if len(a.done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), undoTime)
	defer cancel()
	first, last := a.was.back(a.effects)
	var errs []error
	for _, e := range first {
		errs = append(errs, a.again(ctx, e))
	}
	for _, e := range slices.Backward(a.done) {
		errs = append(errs, a.must("undo: "+e.String(), func() error { return e.Undo(ctx, a.w) }))
	}
	for _, e := range last {
		errs = append(errs, a.again(ctx, e))
	}
	return errors.Join(errs...)
}

func (a *application) again(ctx context.Context, e Effect) error {
	return a.must("undo: "+e.String(), func() error {
		if err := e.Do(ctx, a.w); err != nil {
			return err
		}
		return e.Settled(ctx, a.h)
	})
}

// must tells of what f does but lets nobody refuse it: a plan is put back
// although the journal can't be written.
func (a *application) must(what string, f func() error) error {
	var refused error
	if a.pr != nil {
		refused = a.pr.Begin(what)
	}
	err := f()
	if a.pr != nil && refused == nil {
		a.pr.End(what, err)
	}
	if err = errors.Join(refused, err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
