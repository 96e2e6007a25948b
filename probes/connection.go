package probes

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
)

// Late reports whether err came of waiting for somebody, as far as err tells: a
// caller whose own context is over has to ask that first.
func Late(err error) bool {
	var late interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout()
}

// noWay lists what the system says when nobody can be reached.
var noWay = []error{
	syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL,
	syscall.ECONNRESET, syscall.EACCES, syscall.EPERM, syscall.EINVAL,
}

// Unreachable reports whether a dial ended because nobody can be reached.
// Whatever else stops one, but for time ([Late]), is our own trouble: no
// descriptors left, say.
func Unreachable(err error) bool {
	return slices.ContainsFunc(noWay, func(no error) bool { return errors.Is(err, no) })
}

// gone are the ways in which a connection that was closed shows; which one is
// chance.
var gone = []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}

// Ending says for evidence how a connection that was accepted came to nothing.
func Ending(err error) string {
	if slices.ContainsFunc(gone, func(g error) bool { return errors.Is(err, g) }) {
		return "closes the connection"
	}
	return Clip(err.Error())
}
