package engine

import (
	"slices"
	"sync"

	"watchdog/rules"
)

// A keeper is a ledger in memory. While hung holds a channel nothing is written
// until that is closed.
type keeper struct {
	mu         sync.Mutex
	hung       chan struct{}
	begun      int
	ended      []rules.Attempt
	forgotten  int
	incidents  map[string]rules.Incident
	recordings []rules.Recording
}

func newKeeper() *keeper { return &keeper{incidents: map[string]rules.Incident{}} }

// hang makes every writing hang from now on; the function lets go.
func (k *keeper) hang() (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	hung := make(chan struct{})
	k.hung = hung
	return sync.OnceFunc(func() { close(hung) })
}

func (k *keeper) write(f func()) {
	k.mu.Lock()
	hung := k.hung
	k.mu.Unlock()
	if hung != nil {
		<-hung
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func (k *keeper) Begin(rules.Attempt) (id uint64, err error) {
	k.write(func() { k.begun++; id = uint64(k.begun) })
	return id, nil
}

func (k *keeper) End(_ uint64, a rules.Attempt) error {
	k.write(func() { k.ended = append(k.ended, a) })
	return nil
}

func (k *keeper) Forget(uint64) error {
	k.write(func() { k.forgotten++ })
	return nil
}

func (k *keeper) Incident(in rules.Incident) error {
	k.write(func() { k.incidents[in.ID] = in })
	return nil
}

func (k *keeper) Recording(r rules.Recording) error {
	k.write(func() { k.recordings = append(k.recordings, r) })
	return nil
}

func (k *keeper) recorded() []rules.Recording {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.recordings)
}
