// Package ledger is what the program remembers across restarts: attempts with
// their outcomes, so that budgets hold; incidents and the recordings of what was
// seen in them; and the journal of effects that a crash left undone.
//
// Where it stands: … Decide ─▶ remedy ─▶ every step ─▶ [ledger] ─▶ exporters.
package ledger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"watchdog/rules"
)

// keep is how long attempts are remembered: longer than any budget's window.
const keep = 90 * 24 * time.Hour

var attempts = []byte("attempts")

// A Ledger is the store of attempts and incidents. One process has it open at a time.
type Ledger struct{ db *bbolt.DB }

// Open opens the ledger in the state directory, making it if it is not there.
// One that can't be read is set aside as ledger.corrupt-TIME and a new one
// begun; aside then names it.
func Open(state string, now time.Time) (l *Ledger, aside string, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, "", fmt.Errorf("open ledger: %w", err)
	}
	path := filepath.Join(state, "ledger")
	db, err := open(path)
	if isDamage(err) {
		var mv error
		if aside, mv = setAside(path, now); mv != nil {
			return nil, "", fmt.Errorf("open ledger %s: %w", path, errors.Join(err, mv))
		}
		db, err = open(path)
	}
	if err != nil {
		return nil, aside, fmt.Errorf("open ledger %s: %w", path, err)
	}
	return &Ledger{db}, aside, nil
}

// setAside keeps a ledger that can't be read for a person to look at.
func setAside(path string, now time.Time) (aside string, err error) {
	aside = path + ".corrupt-" + now.UTC().Format("20060102T150405Z")
	return aside, os.Rename(path, aside)
}

// errDamaged says that what the ledger holds can't be read. A full disk or an
// error of the device is none.
var errDamaged = errors.New("damaged")

func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) ||
		errors.Is(err, bbolterrors.ErrVersionMismatch)
}

// lockTime is how long another process that has the ledger is waited for.
const lockTime = time.Second

func open(path string) (db *bbolt.DB, err error) {
	if err := tooShort(path); err != nil {
		return nil, err
	}
	err = guarded(func() (err error) {
		if db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTime}); err != nil {
			return err
		}
		return db.Update(func(tx *bbolt.Tx) error {
			for _, name := range [][]byte{attempts, incidents, recordings} {
				b, err := tx.CreateBucketIfNotExists(name)
				if err != nil {
					return err
				}
				if err := b.ForEach(func(_, _ []byte) error { return nil }); err != nil { // read whole, while a panic is caught
					return err
				}
			}
			return nil
		})
	})
	// One that panicked is left as it is: to close it would wait for a lock that
	// nobody gives back.
	if err != nil && db != nil && !errors.Is(err, errDamaged) {
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// openToRead opens the ledger where it can't be written.
func openToRead(path string) (l *Ledger, err error) {
	if err := tooShort(path); err != nil {
		return nil, err
	}
	err = guarded(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTime, ReadOnly: true})
		l = &Ledger{db}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return l, nil
}

// tooShort finds a file that has been cut off: bbolt names no sort of error for
// one shorter than its first pages. An empty one it fills.
func tooShort(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 && info.Size() < 2*int64(os.Getpagesize()) {
		err = fmt.Errorf("%w: only %d bytes", errDamaged, info.Size())
	}
	return err
}

// guarded turns what a damaged page makes bbolt do into an error: it panics, and
// where the file is shorter than it says, its memory has nothing behind it.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return f()
}

// Close ends it.
func (l *Ledger) Close() error { return l.db.Close() }

// touch writes what is there once more.
func (l *Ledger) touch() error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(attempts)
		return b.SetSequence(b.Sequence())
	})
}

// Begin writes down an attempt before it is made and returns its number.
func (l *Ledger) Begin(a rules.Attempt) (id uint64, err error) {
	a.Outcome = rules.Attempting
	err = l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(attempts)
		if id, err = b.NextSequence(); err != nil {
			return err
		}
		return put(b, id, a)
	})
	if err != nil {
		return 0, fmt.Errorf("write ledger: %w", err)
	}
	return id, nil
}

// End writes down what became of it.
func (l *Ledger) End(id uint64, a rules.Attempt) error {
	err := l.db.Update(func(tx *bbolt.Tx) error { return put(tx.Bucket(attempts), id, a) })
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// Recover marks the attempts that a crash cut short and returns them, forgets
// those older than 90 days, and returns the rest, oldest first. In a ledger that
// can only be read nothing is marked or forgotten.
func (l *Ledger) Recover(now time.Time) (all, cut []rules.Attempt, err error) {
	if l.db.IsReadOnly() {
		err = l.db.View(func(tx *bbolt.Tx) error {
			s := sift(tx.Bucket(attempts), now)
			all, cut = s.kept, s.cut
			return nil
		})
		return all, cut, err
	}
	err = l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(attempts)
		s := sift(b, now)
		all, cut = s.kept, s.cut
		for _, k := range s.old {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		if err := forgetOld(tx, now); err != nil {
			return err
		}
		for i, id := range s.cutIDs {
			if err := put(b, id, s.cut[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read ledger: %w", err)
	}
	return all, cut, nil
}

// A sieve holds the attempts of a ledger by what becomes of them.
type sieve struct {
	kept   []rules.Attempt
	cut    []rules.Attempt // those of them that nobody ended, as ended now
	cutIDs []uint64
	old    [][]byte // keys of what is forgotten
}

// sift reads a bucket, which may be none; it must not change while it is walked.
func sift(b *bbolt.Bucket, now time.Time) (s sieve) {
	if b == nil {
		return s
	}
	_ = b.ForEach(func(k, v []byte) error { // which returns what this does
		var a rules.Attempt
		if err := json.Unmarshal(v, &a); err != nil || now.Sub(a.At) > keep {
			s.old = append(s.old, slices.Clone(k))
			return nil
		}
		if a.Outcome == rules.Attempting {
			a.Outcome, a.Ended = rules.Cut, now
			s.cut, s.cutIDs = append(s.cut, a), append(s.cutIDs, binary.BigEndian.Uint64(k))
		}
		s.kept = append(s.kept, a)
		return nil
	})
	return s
}

func put(b *bbolt.Bucket, id uint64, a rules.Attempt) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.Put(key(id), data)
}

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
