package probes_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"watchdog/probes"
)

func TestClip(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"a  b":                           "a  b",
		"a\r\nb\n\nc\n":                  "a b c",
		"a\xffb":                         "a?b",
		strings.Repeat("x", 300):         strings.Repeat("x", 300),
		strings.Repeat("x", 301):         strings.Repeat("x", 300) + "…",
		strings.Repeat("x", 299) + "äää": strings.Repeat("x", 299) + "…",
	} {
		if got := probes.Clip(in); got != want || !utf8.ValidString(got) {
			t.Errorf("Clip(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		within, cancel := probes.Waits(t.Context(), 6*time.Second)
		defer cancel()
		if d, _ := within.Deadline(); time.Until(d) != 5*time.Second {
			t.Errorf("%s of a look of 6s", time.Until(d))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		within, cancel = probes.Waits(ctx, 6*time.Second)
		defer cancel()
		if d, _ := within.Deadline(); time.Until(d) != 2500*time.Millisecond {
			t.Errorf("%s before a deadline in 3s", time.Until(d))
		}
	})
}
