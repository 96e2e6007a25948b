package ledger

import (
	"bytes"
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

// View opens the ledger in the state directory for reading only, for those who
// look while no daemon runs. It makes nothing. The error is [os.ErrNotExist]
// where there is no ledger, and [ErrInUse] while a daemon has it.
func View(state string) (*Ledger, error) {
	path := filepath.Join(state, "ledger")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	l, err := openToRead(path)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("read ledger %s: %w", path, ErrInUse)
	}
	return l, err
}

// ErrInUse says that another process has the ledger open for writing.
var ErrInUse = errors.New("another process has it open")

// A Query asks for incidents: those that began since then or are still open, or
// those whose ID begins so when ID is not empty.
type Query struct {
	Since time.Time
	ID    string
}

// A History is a list of incidents as they are written down (JSON of
// [rules.Incident]), oldest first.
type History struct {
	Incidents []json.RawMessage `json:"incidents"`
	// LeftOut counts the older ones that there was no room for.
	LeftOut int `json:"left_out,omitempty"`
}

// Bounds of one answer, in incidents and in bytes.
const (
	historyMost  = 500
	historyBytes = 4 << 20
)

// isOpen is how an open incident is written. Other text may hold it too: it
// picks out those that are worth decoding.
var isOpen = []byte(`"state":"` + string(rules.IncidentOpen) + `"`)

// History answers a query, the newest ones first to be kept.
func (l *Ledger) History(q Query) (History, error) {
	h := History{Incidents: []json.RawMessage{}}
	since, size := []byte(q.Since.UTC().Format(rules.IDTime)), 0
	asked := func(k, v []byte) bool {
		if q.ID != "" {
			return bytes.HasPrefix(k, []byte(q.ID))
		}
		return q.Since.IsZero() || bytes.Compare(k, since) >= 0 || goesOn(v)
	}
	read := func(tx *bbolt.Tx) error {
		b := tx.Bucket(incidents)
		if b == nil { // an earlier version's
			return nil
		}
		c := b.Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			switch {
			case !asked(k, v):
			case len(h.Incidents) >= historyMost || size+len(v) > historyBytes:
				h.LeftOut++
			default:
				size += len(v)
				h.Incidents = append(h.Incidents, bytes.Clone(v))
			}
		}
		return nil
	}
	if err := guarded(func() error { return l.db.View(read) }); err != nil {
		return History{}, fmt.Errorf("read ledger: %w", err)
	}
	slices.Reverse(h.Incidents)
	return h, nil
}

// History is [Ledger.History].
func (k *Keeper) History(q Query) (h History, err error) {
	err = k.Use(func(l *Ledger) (err error) {
		h, err = l.History(q)
		return err
	})
	return h, err
}

// ReadRecording is [Ledger.ReadRecording].
func (k *Keeper) ReadRecording(id string) (data []byte, err error) {
	err = k.Use(func(l *Ledger) (err error) {
		data, err = l.ReadRecording(id)
		return err
	})
	return data, err
}

func goesOn(v []byte) bool {
	var in struct{ State rules.IncidentState }
	return bytes.Contains(v, isOpen) && json.Unmarshal(v, &in) == nil && in.State == rules.IncidentOpen
}
