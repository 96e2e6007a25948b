//go:build drill

package system

import (
	"testing"
	"time"

	"watchdog/probes/host/hosttest"
)

func TestWallClockInADrill(t *testing.T) {
	for text, want := range map[string]time.Duration{"2h\n": 2 * time.Hour, "-90s": -90 * time.Second, "soon": 0, "": 0} {
		h := hosttest.New(hosttest.File(clockOffset, text))
		if got := wallClock(h).Sub(hosttest.Noon); got != want {
			t.Errorf("%q: off by %s, want %s", text, got, want)
		}
	}
	if got := wallClock(hosttest.New()); !got.Equal(hosttest.Noon) {
		t.Errorf("without a file: %s", got)
	}
}
