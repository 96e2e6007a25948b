package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A PlaceError is what is wrong with a recording, and where: both counted from
// one, the column in bytes.
type PlaceError struct {
	Line, Column int
	Err          error
}

func (e *PlaceError) Error() string { return fmt.Sprintf("%d:%d: %v", e.Line, e.Column, e.Err) }

// Unwrap gives what is wrong without its place.
func (e *PlaceError) Unwrap() error { return e.Err }

// ParseRecording reads a recording. Its errors are [*PlaceError]s.
func ParseRecording(data []byte) (Recording, error) {
	var r Recording
	err := json.Unmarshal(data, &r)
	if err == nil {
		err = r.check()
	}
	if err == nil {
		return r, nil
	}
	offset := offsetOf(data, err)
	before := data[:offset]
	return Recording{}, &PlaceError{
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: offset - bytes.LastIndexByte(before, '\n'),
		Err:    err,
	}
}

// check judges what JSON does not.
func (r Recording) check() error {
	if r.Schema != 1 {
		return fmt.Errorf("schema %d, this version reads 1", r.Schema)
	}
	if r.Started.IsZero() {
		return errors.New("it does not say when it was started")
	}
	return r.checkParts()
}

func (r Recording) checkParts() error {
	if slices.Contains(r.Base.Latest, nil) {
		return errors.New("a look is missing in latest")
	}
	for _, l := range r.Lines {
		if err := l.check(); err != nil {
			return err
		}
	}
	return nil
}

func (l Line) check() error {
	n := 0
	for _, there := range []bool{l.Look != nil, l.Turn != nil, l.Begin != nil, l.End != nil} {
		if there {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("a line of %d things, wanted one: look, turn, begin or end", n)
	}
	return nil
}

// offsetOf is where in data an error is. Not every error of the JSON package
// tells; then it is the first part that is not right by itself.
func offsetOf(data []byte, err error) int {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return place(data, syntax.Offset)
	case errors.As(err, &kind):
		return place(data, kind.Offset)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // the brace
		return 0
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return 0
		}
		if key == "lines" {
			if at, bad := badLine(dec); bad {
				return at
			}
			continue
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0
		}
		var r Recording
		part := fmt.Appendf(nil, "{%q: %s}", key, value)
		if json.Unmarshal(part, &r) != nil || r.checkParts() != nil {
			return int(dec.InputOffset()) - len(value)
		}
	}
	return 0
}

// badLine reads the list of lines and returns where the first bad one begins.
func badLine(dec *json.Decoder) (offset int, bad bool) {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return 0, false
	}
	for dec.More() {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0, false
		}
		var l Line
		if json.Unmarshal(value, &l) != nil || l.check() != nil {
			return int(dec.InputOffset()) - len(value), true
		}
	}
	_, err := dec.Token() // the bracket
	return 0, err != nil
}

// place is the index of the last byte that was read.
func place(data []byte, read int64) int { return min(max(int(read)-1, 0), len(data)) }
