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

// A record book is the file of a lab's scores.
type recordBook struct {
	path     string
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
	return readBook(r.Lab.Keeps("drills.jsonl"), own+" "+host)
}

// readBook reads the scores of the given programs; there may be none.
func readBook(path, programs string) (*recordBook, error) {
	b := &recordBook{path: path, programs: programs, scores: map[string]Score{}}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the scores of earlier drills: %w", err)
	}
	b.cut = len(data) > 0 && data[len(data)-1] != '\n'
	for line := range bytes.Lines(data) {
		var rec record
		// A line cut short by a crash is a drill to be run again.
		if json.Unmarshal(line, &rec) == nil && rec.Programs == b.programs {
			b.scores[rec.Score.ID] = rec.Score
		}
	}
	return b, nil
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
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(line)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("keep the score of %s: %w", s.ID, err)
	}
	b.cut = false
	return nil
}

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
