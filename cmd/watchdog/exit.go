package main

import "errors"

// Exit codes of every verb, in their precedence: usage over findings over
// blindness over health.
const (
	exitOK       = 0
	exitFindings = 1 // findings, changes pending, or a remedy that did not work
	exitUsage    = 2 // command line or site file
	exitBlind    = 3 // could not find out
)

// exitCode is an error that says nothing more than the code: what there was to
// say has been printed.
type exitCode int

func (exitCode) Error() string { return "" }

// codeOf returns the exit code an error stands for.
func codeOf(err error) int {
	var code exitCode
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &code):
		return int(code)
	}
	return exitFindings
}
