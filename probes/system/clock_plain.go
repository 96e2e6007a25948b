//go:build !drill

package system

import (
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// wallClock is the host's time.
func wallClock(h *host.Host) time.Time { return h.Now() }

func clockWakes() []probes.Wake { return nil }
