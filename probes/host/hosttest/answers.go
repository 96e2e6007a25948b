package hosttest

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"slices"
	"strings"

	"watchdog/probes/host"
)

var quiet = log.New(io.Discard, "", 0)

// A Query answers statements.
type Query func(database string, args ...any) ([][]string, error)

// A Command answers calls of a program.
type Command func(argv ...string) ([]byte, error)

// Rows answers every statement that contains part, blanks counted alike, with
// rows. Of several parts the longest counts.
func Rows(part string, rows ...[]string) Option {
	return Answer(part, func(string, ...any) ([][]string, error) { return rows, nil })
}

// Answer lets q answer every statement that contains part.
func Answer(part string, q Query) Option {
	return func(m *Machine) { m.queries[blanks(part)] = q }
}

// Output answers the command whose words, joined by blanks, begin with argv.
// Of several the longest counts.
func Output(argv, out string) Option {
	return Run(argv, func(...string) ([]byte, error) { return []byte(out), nil })
}

// Run lets c answer the commands that begin with argv.
func Run(argv string, c Command) Option {
	return func(m *Machine) { m.commands[argv] = c }
}

// units is the machine's [host.Init].
type units struct{ m *Machine }

func (u units) Unit(ctx context.Context, name string) (host.Unit, error) {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	for _, err := range []error{ctx.Err(), u.m.blind, u.m.noInit} {
		if err != nil {
			return host.Unit{}, fmt.Errorf("look at unit %s: %w", name, err)
		}
	}
	if unit, ok := u.m.units[name]; ok {
		return unit, nil
	}
	return host.Unit{Name: name, State: host.Absent}, nil
}

// database is the machine's [host.DB].
type database struct{ m *Machine }

func (d database) Query(ctx context.Context, name, statement string, args ...any) ([][]string, error) {
	d.m.mu.Lock()
	q, known := longest(d.m.queries, func(part string) bool { return strings.Contains(blanks(statement), part) })
	errs := []error{ctx.Err(), d.m.blind, d.m.noDB}
	d.m.mu.Unlock()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("query database %s: %w", name, err)
		}
	}
	if !known {
		return nil, fmt.Errorf("query database %s: made-up host has no answer to %q", name, statement)
	}
	return q(name, args...)
}

// commands is the machine's [host.Exec].
type commands struct{ m *Machine }

func (c commands) Run(ctx context.Context, argv ...string) ([]byte, error) {
	if err := host.CheckCommand(argv...); err != nil {
		return nil, err
	}
	line := strings.Join(argv, " ")
	c.m.mu.Lock()
	f, known := longest(c.m.commands, func(begin string) bool { return strings.HasPrefix(line+" ", begin+" ") })
	errs := []error{ctx.Err(), c.m.blind}
	c.m.mu.Unlock()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", line, err)
		}
	}
	if !known {
		return nil, fmt.Errorf("run %s: made-up host has no answer to it", line)
	}
	return f(argv...)
}

// longest returns the value of the longest key that fits.
func longest[V any](all map[string]V, fits func(string) bool) (V, bool) {
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	}) {
		if fits(key) {
			return all[key], true
		}
	}
	var none V
	return none, false
}

// blanks makes any run of white space one blank.
func blanks(s string) string { return strings.Join(strings.Fields(s), " ") }
