//go:build drill

package system

import (
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// clockOffset holds what a drill wants the clock to be off by ("2h", "-90s"): in the
// lab all hosts share the machine's clock, which nobody may set.
const clockOffset = "/run/watchdog/clock-offset"

// wallClock is the host's time as a drill wants it.
func wallClock(h *host.Host) time.Time {
	var d time.Duration
	if data, err := h.FS.ReadFile(clockOffset); err == nil {
		d, _ = time.ParseDuration(strings.TrimSpace(string(data))) // none where it is no duration
	}
	return h.Now().Add(d)
}

func clockWakes() []probes.Wake {
	return []probes.Wake{{Kind: probes.WakeFile, Name: clockOffset}}
}
