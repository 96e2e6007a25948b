package remedytest

import (
	"context"
	"errors"
	"fmt"
)

// ErrFault is what a call fails with that was made to fail.
var ErrFault = errors.New("made to fail")

// A Fault befalls one call of the hands, or all from it on.
type Fault struct {
	Call int // counted from 1; 0 for none
	Kind Kind
	Stay bool // the calls after it fail as well
}

// Kind is how a call goes wrong.
type Kind string

// The kinds: an error before or after the call took effect, or its context
// ended before or after.
const (
	FailBefore   Kind = "fails before it took effect"
	FailAfter    Kind = "fails after it took effect"
	CancelBefore Kind = "is cancelled before it took effect"
	CancelAfter  Kind = "is cancelled after it took effect"
)

// Kinds lists them all.
var Kinds = []Kind{FailBefore, FailAfter, CancelBefore, CancelAfter}

// Strike makes the fault befall the machine. Calls are counted anew, and
// cancelling means the context that is returned.
func (m *Machine) Strike(ctx context.Context, f Fault) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls, m.fault, m.cancel = nil, f, cancel
	return ctx, cancel
}

// do makes one call of the hands: f is what it does. What ended with its
// context is not done.
func (m *Machine) do(ctx context.Context, c Call, f func() error) error {
	m.mu.Lock()
	m.calls = append(m.calls, c)
	n, fault, cancel := len(m.calls), m.fault, m.cancel
	m.mu.Unlock()
	struck := fault.Call > 0 && (n == fault.Call || fault.Stay && n > fault.Call)
	failed := fmt.Errorf("%s: %w", c.What, ErrFault)
	if struck && (fault.Kind == FailBefore || n > fault.Call) {
		return failed
	}
	if struck && fault.Kind == CancelBefore {
		cancel()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", c.What, err)
	}
	err := f()
	switch {
	case struck && fault.Kind == FailAfter:
		return errors.Join(failed, err)
	case struck && fault.Kind == CancelAfter:
		cancel()
	}
	return err
}
