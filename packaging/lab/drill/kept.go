package drill

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/packaging/lab"
)

// A record is one line of what is kept of a lab's drills, in a file that goes
// with the lab.
type record struct {
	// Programs is what the drill was run with and on: the hash of the program
	// that ran it, with its scenarios, and of the one that was held to it.
	Programs string    `json:"programs"`
	At       time.Time `json:"at"`
	Score    Score     `json:"score"`
}

// A recordBook is the file of a lab's scores. While it is open no other drill is
// run in the lab: two faults at a time would be nobody's.
type recordBook struct {
	f        *os.File
	programs string
	scores   map[string]Score // the newest of these programs, by ID
	cut      bool             // the file ends in the middle of a line
}

// open reads what is kept. It fails where the lab is not up.
func (r *Runner) open(ctx context.Context) (*recordBook, error) {
	own, err := ownHash()
	if err != nil {
		return nil, err
	}
	out, err := r.sh(ctx, "idp", "sha256sum < /usr/bin/watchdog")
	if err != nil {
		return nil, err
	}
	host, _, _ := strings.Cut(string(out), " ")
	if host != own {
		fmt.Fprintln(r.Log, "the program in the hosts is another than this one; watchdog lab up puts this one there")
	}
	return openBook(r.Lab.Keeps("drills.jsonl"), own+" "+host)
}

// openBook reads the scores of the given programs; there may be none.
func openBook(path, programs string) (*recordBook, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the scores of earlier drills: %w", err)
	}
	b := &recordBook{f: f, programs: programs, scores: map[string]Score{}}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &lab.Refusal{Reason: "wait for the other drill that is being run in this lab"}
	}
	if err == nil {
		err = b.read()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

func (b *recordBook) read() error {
	data, err := io.ReadAll(b.f)
	if err != nil {
		return fmt.Errorf("read the scores of earlier drills: %w", err)
	}
	b.cut = len(data) > 0 && data[len(data)-1] != '\n'
	for line := range bytes.Lines(data) {
		var rec record
		// A line cut short by a crash is a drill to be run again.
		if json.Unmarshal(line, &rec) == nil && rec.Programs == b.programs {
			b.scores[rec.Score.ID] = rec.Score
		}
	}
	return nil
}

// passed returns the newest score of a drill, if it passed.
func (b *recordBook) passed(id string) (Score, bool) {
	s, ok := b.scores[id]
	return s, ok && s.Passed()
}

// add keeps a score.
func (b *recordBook) add(s Score) error {
	line, err := json.Marshal(record{Programs: b.programs, At: time.Now(), Score: s})
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if b.cut {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := b.f.Write(line); err != nil {
		return fmt.Errorf("keep the score of %s: %w", s.ID, err)
	}
	b.cut = false
	return nil
}

func (b *recordBook) close() error { return b.f.Close() }

// ownHash is the hash of the program that is running.
func ownHash() (string, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("open this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
