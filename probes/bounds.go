package probes

import (
	"context"
	"strings"
	"time"
)

// maxText bounds one text of evidence that comes from outside, in bytes.
const maxText = 300

// Clip makes what comes from outside fit for evidence: one line of valid text, of
// at most 300 bytes and an ellipsis.
func Clip(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// Waits bounds what a look waits for: a sixth of its time is kept back, so that a
// server that accepted and said nothing can still be told of as hung. The
// timeout is the look's own, for where ctx has no deadline.
func Waits(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, timeout*5/6)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/6))
}
