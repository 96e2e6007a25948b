package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// usageError is a mistake in the command line or in the site file: the verb
// ends with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// siteProblem is one thing wrong with a site file. Line and Column count from
// 1; Line 0 is the file as a whole.
type siteProblem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// siteError is a site file that cannot be used, with all that is wrong with it.
// Its text stands for itself: a prefix would hide file, line and column from
// editors.
type siteError struct {
	file     string
	lines    []string // of the file, for excerpts
	problems []siteProblem
	cause    error // when the file could not be read
}

func (e siteError) Unwrap() error { return e.cause }

// siteMaxProblems bounds what one wrong file prints.
const siteMaxProblems = 20

// Error gives each problem a line "file:line:column: message" and an excerpt.
func (e siteError) Error() string {
	var b strings.Builder
	excerpts := newSiteExcerpts(e.lines)
	for i, p := range e.problems {
		if i == siteMaxProblems {
			fmt.Fprintf(&b, "%s: and %d more\n", e.file, len(e.problems)-siteMaxProblems)
			break
		}
		if p.Line == 0 {
			fmt.Fprintf(&b, "%s: %s\n", e.file, p.Message)
			continue
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s\n%s", e.file, p.Line, p.Column, p.Message, excerpts.at(p.Line, p.Column))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func sortSiteProblems(problems []siteProblem) []siteProblem {
	slices.SortStableFunc(problems, func(a, b siteProblem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(problems)
}
