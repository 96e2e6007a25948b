package engine

import (
	"errors"
	"log/slog"
	"time"

	"watchdog/rules"
)

// A scribe writes to the ledger beside the loop, in order: a disk that hangs
// must not hang the loop.
type scribe struct {
	ledger Ledger
	log    *slog.Logger
	todo   chan func()
	done   chan struct{}
}

// scribeQueue bounds what waits to be written while a disk hangs.
const scribeQueue = 256

func newScribe(l Ledger, log *slog.Logger) *scribe {
	s := &scribe{ledger: l, log: log, todo: make(chan func(), scribeQueue), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for f := range s.todo {
			f()
		}
	}()
	return s
}

// closeTime bounds how long the end of the daemon waits for its writing.
const closeTime = 10 * time.Second

// close waits until all is written.
func (s *scribe) close() {
	close(s.todo)
	select {
	case <-s.done:
	case <-time.After(closeTime):
		s.log.Error("the ledger does not take what is to be written")
	}
}

// write has f write, whenever it can.
func (s *scribe) write(what string, f func(Ledger) error) {
	if s.ledger == nil {
		return
	}
	todo := func() {
		if err := f(s.ledger); err != nil {
			s.log.Error("cannot write the "+what+" down", "err", err.Error())
		}
	}
	select {
	case s.todo <- todo:
	default:
		s.log.Error("cannot write the " + what + " down: too much waits to be written")
	}
}

// errNotWritten says that an intent could not be written down.
var errNotWritten = errors.New("cannot write the intent down")

// intentTime bounds how long a remedy waits for its intent to be written.
const intentTime = 10 * time.Second

// begin writes an intent and waits for it. Called beside the loop.
func (s *scribe) begin(a rules.Attempt) (uint64, error) {
	if s.ledger == nil {
		return 0, nil
	}
	type answer struct {
		id  uint64
		err error
	}
	written := make(chan answer, 1)
	todo := func() {
		id, err := s.ledger.Begin(a)
		written <- answer{id, err}
	}
	late := time.NewTimer(intentTime)
	defer late.Stop()
	select {
	case s.todo <- todo:
	case <-late.C:
		return 0, errNotWritten
	}
	select {
	case w := <-written:
		if w.err != nil {
			return 0, errors.Join(errNotWritten, w.err)
		}
		return w.id, nil
	case <-late.C:
		return 0, errNotWritten
	}
}
