package engine

import (
	"maps"
	"sync"

	"watchdog/probes/host"
)

// vitals are how the engine itself is, for the probes that look at it. They run
// beside the loop.
type vitals struct {
	mu   sync.Mutex
	lost map[string]string
}

func (v *vitals) get() host.Vitals {
	v.mu.Lock()
	defer v.mu.Unlock()
	return host.Vitals{Lost: maps.Clone(v.lost)}
}

// lose says that a source of events is lost, and why; an empty reason that it is
// back.
func (v *vitals) lose(source, why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if why == "" {
		delete(v.lost, source)
		return
	}
	if v.lost == nil {
		v.lost = map[string]string{}
	}
	v.lost[source] = why
}
