package probes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"watchdog/probes/host"
)

// Run looks through every probe at once and returns their results in the order
// of ps. A probe that outlives its timeout is answered for (Unknown) and left
// behind: it delays no other. done, when not nil, hears of each result as it
// comes, one at a time.
func Run(ctx context.Context, h *host.Host, ps []Probe, done func(Result)) []Result {
	results := make([]Result, len(ps))
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for i, p := range ps {
		wg.Go(func() {
			results[i] = Look(ctx, h, p)
			if done != nil {
				mu.Lock()
				defer mu.Unlock()
				done(results[i])
			}
		})
	}
	wg.Wait()
	return results
}

// Look runs one probe under its own deadline. It returns when the probe does or
// when the deadline passes, whichever is first.
func Look(ctx context.Context, h *host.Host, p Probe) Result {
	spec := p.Spec()
	start := h.Now()
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout)
	defer cancel()

	type answer struct {
		findings []Finding
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				answers <- answer{err: fmt.Errorf("probe %s panicked: %v", spec.ID, r)}
			}
		}()
		f, err := p.Observe(ctx, h)
		answers <- answer{f, err}
	}()

	r := Result{Probe: spec.ID, State: OK, At: start}
	select {
	case a := <-answers:
		r.Findings, r.Err = a.findings, a.err
	case <-ctx.Done():
		// An answer that came in the same instant still counts.
		select {
		case a := <-answers:
			r.Findings, r.Err = a.findings, a.err
		default:
			r.Err = ctx.Err()
		}
	}
	r.Took = h.Now().Sub(start)
	switch {
	case len(r.Findings) > 0:
		r.State, r.Err = Failing, nil
	case r.Err != nil:
		r.State = Unknown
		if errors.Is(r.Err, context.DeadlineExceeded) {
			r.Err = fmt.Errorf("no answer within %s", spec.Timeout.Round(time.Millisecond))
		}
	}
	return r
}
