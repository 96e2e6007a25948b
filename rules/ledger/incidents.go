package ledger

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"go.etcd.io/bbolt"

	"watchdog/rules"
)

var (
	incidents  = []byte("incidents")
	recordings = []byte("recordings")
)

// Bounds of what is kept: incidents as long as attempts, and not more than
// these, the oldest forgotten first.
const (
	incidentsKept  = 2000
	recordingsKept = 200
)

// Forget takes back an attempt at which nothing was done.
func (l *Ledger) Forget(id uint64) error {
	err := l.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(attempts).Delete(key(id)) })
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// Incident writes an incident down, over its earlier form. Their IDs begin with
// their time, so they stand in its order.
func (l *Ledger) Incident(in rules.Incident) error {
	data, err := json.Marshal(in)
	if err == nil {
		err = l.keep(incidents, in.ID, data, incidentsKept)
	}
	if err != nil {
		return fmt.Errorf("write incident %s: %w", in.ID, err)
	}
	return nil
}

// Recording writes a recording down.
func (l *Ledger) Recording(r rules.Recording) error {
	var data bytes.Buffer
	z := gzip.NewWriter(&data)
	err := json.NewEncoder(z).Encode(r)
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = l.keep(recordings, r.ID, data.Bytes(), recordingsKept)
	}
	if err != nil {
		return fmt.Errorf("write recording %s: %w", r.ID, err)
	}
	return nil
}

// keep puts a value and drops the oldest beyond most.
func (l *Ledger) keep(bucket []byte, id string, data []byte, most int) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		if err := b.Put([]byte(id), data); err != nil {
			return err
		}
		c := b.Cursor()
		for n := b.Stats().KeyN; n > most; n-- {
			if k, _ := c.First(); k == nil {
				break
			}
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Incidents returns those that began since then, oldest first.
func (l *Ledger) Incidents(since time.Time) ([]rules.Incident, error) {
	out := []rules.Incident{}
	err := l.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(incidents)
		if b == nil { // an earlier version's, which can only be read
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			var in rules.Incident
			if err := json.Unmarshal(v, &in); err != nil {
				return fmt.Errorf("incident %s: %w", k, err)
			}
			if !in.Onset.Before(since) {
				out = append(out, in)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return out, nil
}

// RecordingMost bounds a recording, as JSON and in bytes.
const RecordingMost = 64 << 20

// ReadRecording returns a recording by its ID, as JSON; nothing when there is none.
func (l *Ledger) ReadRecording(id string) ([]byte, error) {
	var packed, out []byte
	err := guarded(func() error {
		return l.db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(recordings); b != nil {
				packed = bytes.Clone(b.Get([]byte(id)))
			}
			return nil
		})
	})
	if err == nil && packed != nil {
		out, err = unpack(packed)
	}
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", id, err)
	}
	return out, nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, RecordingMost+1))
	if err == nil && len(out) > RecordingMost {
		err = fmt.Errorf("it is larger than %d MiB", RecordingMost>>20)
	}
	return out, err
}

// forgetOld drops the incidents and recordings that are older than is kept.
func forgetOld(tx *bbolt.Tx, now time.Time) error {
	oldest := []byte(now.Add(-keep).UTC().Format(rules.IDTime))
	for _, name := range [][]byte{incidents, recordings} {
		c := tx.Bucket(name).Cursor()
		for k, _ := c.First(); k != nil && bytes.Compare(k, oldest) < 0; k, _ = c.First() {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}
