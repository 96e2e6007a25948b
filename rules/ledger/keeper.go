package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"watchdog/rules"
)

// A Keeper keeps the ledger open through whatever befalls it: a directory that
// can't be written for a while, a file that is damaged, removed or mounted over.
// It says what is wrong as long as something is ([Keeper.Trouble]).
type Keeper struct {
	state string
	now   func() time.Time

	mu    sync.Mutex // one at a time; held while the disk takes its time
	led   *Ledger
	file  fs.FileInfo // what led was opened as
	run   int         // counts the times it was opened
	begun int         // in which of them the newest attempt was begun

	busy    atomic.Int64 // since when the disk is waited for, 0 when it is not
	trouble atomic.Pointer[string]
	aside   atomic.Pointer[string] // where a damaged one was put
	unread  atomic.Bool
}

// Keep returns the keeper of the state directory's ledger. Nothing is opened yet.
func Keep(state string, now func() time.Time) *Keeper {
	return &Keeper{state: state, now: now}
}

func (k *Keeper) path() string { return filepath.Join(k.state, "ledger") }

// A Past is what earlier runs left behind.
type Past struct {
	Attempts []rules.Attempt // oldest first
	Cut      []rules.Attempt // those of them that a crash had cut short
	Open     []rules.Incident
}

// stillOpen is how far back an incident that was never ended is looked for.
const stillOpen = 30 * 24 * time.Hour

// Past opens the ledger and returns what is in it. One that can't be written is
// read all the same. An error says that it can't be read either ([Keeper.Unread]).
func (k *Keeper) Past() (Past, error) {
	var past Past
	err := k.Use(func(l *Ledger) (err error) {
		past, err = l.past(k.now())
		return err
	})
	if err == nil {
		return past, nil
	}
	l, err2 := openToRead(k.path())
	switch {
	case errors.Is(err2, fs.ErrNotExist): // nothing to remember, and nowhere to
		return Past{}, nil
	case err2 == nil:
		err2 = guarded(func() (err error) {
			past, err = l.past(k.now())
			return err
		})
		err2 = errors.Join(err2, l.Close())
	}
	if err2 != nil {
		k.unread.Store(true)
		return Past{}, errors.Join(err, err2)
	}
	return past, nil
}

func (l *Ledger) past(now time.Time) (p Past, err error) {
	if p.Attempts, p.Cut, err = l.Recover(now); err != nil {
		return Past{}, err
	}
	p.Open, err = l.Incidents(now.Add(-stillOpen))
	p.Open = slices.DeleteFunc(p.Open, func(in rules.Incident) bool { return in.State != rules.IncidentOpen })
	return p, err
}

// Unread reports whether the ledger could not be read at the start and has not
// been opened since: then nobody knows what has been tried.
func (k *Keeper) Unread() bool { return k.unread.Load() }

// Use does f with the ledger, opened anew where that is called for. f must keep
// nothing of it.
func (k *Keeper) Use(f func(*Ledger) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy.Store(k.now().UnixNano())
	defer k.busy.Store(0)
	err := k.ready()
	if err == nil {
		err = guarded(func() error { return f(k.led) })
	}
	switch {
	case err == nil || k.led == nil:
	case isDamage(err):
		err = errors.Join(err, k.abandon())
	default:
		k.drop() // whether it was the disk shows when it is opened again
	}
	k.tell(err)
	return err
}

// abandon sets aside the ledger that is open. It is not closed: what panicked has
// not given back its locks.
func (k *Keeper) abandon() error {
	k.led = nil
	aside, err := setAside(k.path(), k.now())
	if err == nil {
		k.aside.Store(&aside)
	}
	return err
}

// ready opens the ledger if it is not open, or if what is open is not what has
// its name any more.
func (k *Keeper) ready() error {
	if k.led != nil {
		is, err := os.Lstat(k.path())
		if err == nil && os.SameFile(is, k.file) {
			return nil
		}
		k.drop()
	}
	l, aside, err := Open(k.state, k.now())
	if aside != "" {
		k.aside.Store(&aside)
	}
	if err != nil {
		return err
	}
	if k.file, err = os.Lstat(k.path()); err != nil {
		return errors.Join(err, l.Close())
	}
	k.led = l
	k.run++
	k.unread.Store(false)
	return nil
}

func (k *Keeper) drop() {
	if k.led != nil {
		_ = k.led.Close() // what it holds has been written, or can't be
		k.led = nil
	}
}

func (k *Keeper) tell(err error) {
	if err == nil {
		k.trouble.Store(nil)
		return
	}
	why := err.Error()
	k.trouble.Store(&why)
}

// hangs is how long the disk may take before that is said.
const hangs = 10 * time.Second

// Trouble says what is wrong with the ledger in words, or nothing. One that could
// not be opened is tried again first. It waits for no disk that hangs.
func (k *Keeper) Trouble() string {
	if !k.mu.TryLock() {
		if since := k.busy.Load(); since != 0 && k.now().Sub(time.Unix(0, since)) > hangs {
			return "the disk does not answer"
		}
	} else {
		if k.trouble.Load() != nil {
			k.tell(k.tryAgain())
		}
		k.mu.Unlock()
	}
	if why := k.trouble.Load(); why != nil {
		return *why
	}
	if aside := k.aside.Load(); aside != nil {
		if _, err := os.Lstat(*aside); err == nil {
			return "it was damaged and was set aside as " + *aside + ": what had been tried before is forgotten"
		}
	}
	return ""
}

func (k *Keeper) tryAgain() error {
	err := k.ready()
	if err == nil {
		err = guarded(k.led.touch)
	}
	return err
}

// Aside is where a damaged ledger was put in this run, or nothing.
func (k *Keeper) Aside() string {
	if aside := k.aside.Load(); aside != nil {
		return *aside
	}
	return ""
}

// Close ends it.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.led == nil {
		return nil
	}
	err := k.led.Close()
	k.led = nil
	return err
}

// Begin is [Ledger.Begin].
func (k *Keeper) Begin(a rules.Attempt) (id uint64, err error) {
	err = k.Use(func(l *Ledger) error {
		id, err = l.Begin(a)
		k.begun = k.run
		return err
	})
	return id, err
}

// End is [Ledger.End]. Where another ledger has taken the place of the one that
// the attempt was begun in, it gets a number of its own.
func (k *Keeper) End(id uint64, a rules.Attempt) error {
	return k.Use(func(l *Ledger) (err error) {
		if k.begun != k.run {
			if id, err = l.Begin(a); err != nil {
				return err
			}
		}
		return l.End(id, a)
	})
}

// Forget is [Ledger.Forget].
func (k *Keeper) Forget(id uint64) error {
	return k.Use(func(l *Ledger) error {
		if k.begun != k.run {
			return nil // with its ledger
		}
		return l.Forget(id)
	})
}

// Incident is [Ledger.Incident].
func (k *Keeper) Incident(in rules.Incident) error {
	return k.Use(func(l *Ledger) error { return l.Incident(in) })
}

// Recording is [Ledger.Recording].
func (k *Keeper) Recording(r rules.Recording) error {
	return k.Use(func(l *Ledger) error { return l.Recording(r) })
}
