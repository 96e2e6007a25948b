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
	"os"
	"path/filepath"
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
		aside = path + ".corrupt-" + now.UTC().Format("20060102T150405Z")
		if mv := os.Rename(path, aside); mv != nil {
			return nil, "", fmt.Errorf("open ledger %s: %w", path, errors.Join(err, mv))
		}
		db, err = open(path)
	}
	if err != nil {
		return nil, aside, fmt.Errorf("open ledger %s: %w", path, err)
	}
	return &Ledger{db}, aside, nil
}

// errDamaged says that what the ledger holds can't be read. A full disk or an
// error of the device is none.
var errDamaged = errors.New("damaged")

func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) ||
		errors.Is(err, bbolterrors.ErrVersionMismatch)
}

func open(path string) (db *bbolt.DB, err error) {
	// A damaged page makes bbolt panic as well as err.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
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
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close ends it.
func (l *Ledger) Close() error { return l.db.Close() }

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
// those older than 90 days, and returns the rest, oldest first.
func (l *Ledger) Recover(now time.Time) (all, cut []rules.Attempt, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(attempts)
		var old [][]byte // a bucket must not change while it is walked
		ended := map[uint64]rules.Attempt{}
		err := b.ForEach(func(k, v []byte) error {
			var a rules.Attempt
			if err := json.Unmarshal(v, &a); err != nil || now.Sub(a.At) > keep {
				old = append(old, slices.Clone(k))
				return nil
			}
			if a.Outcome == rules.Attempting {
				a.Outcome, a.Ended = rules.Cut, now
				ended[binary.BigEndian.Uint64(k)] = a
				cut = append(cut, a)
			}
			all = append(all, a)
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range old {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		if err := forgetOld(tx, now); err != nil {
			return err
		}
		for id, a := range ended {
			if err := put(b, id, a); err != nil {
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

func put(b *bbolt.Bucket, id uint64, a rules.Attempt) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.Put(key(id), data)
}

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
