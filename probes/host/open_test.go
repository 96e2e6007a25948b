package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"watchdog/probes/host"
)

func TestOpen(t *testing.T) {
	h, err := host.Open(t.Context())
	if err != nil && strings.Contains(err.Error(), "is not supported") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Facts.Hostname == "" || h.Facts.Layout.PostgresMajor == 0 || h.Now().IsZero() {
		t.Errorf("facts %+v", h.Facts)
	}
	// A service nobody has is absent where there is a service manager, and
	// can't be looked at where there is none.
	u, err := h.Init.Unit(t.Context(), "watchdog-no-such.service")
	if h.Facts.Init == "" && err == nil || h.Facts.Init != "" && (err != nil || u.State != host.Absent) {
		t.Errorf("with %q: %+v, %v", h.Facts.Init, u, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := host.Open(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}
