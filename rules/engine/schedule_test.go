package engine

import (
	"testing"
	"time"

	"watchdog/probes"
)

func TestSchedule(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1_000_000_000+s), 0) } // on every grid
	w := &world{}
	five, ten := look{w, "five", 5 * time.Second}, look{w, "ten", 10 * time.Second}
	s := newSchedule([]probes.Probe{five, ten}, at(3))
	if n := len(s.due(at(3), nil)); n != 2 {
		t.Fatalf("%d due at the start, want all", n)
	}
	if n := len(s.due(at(4), nil)); n != 0 {
		t.Fatalf("%d due while all are looking", n)
	}
	s.done("probe.five", at(4), true)
	s.done("probe.ten", at(4), true)
	if next := s.next(at(4)); !next.Equal(at(5)) {
		t.Errorf("next at %s, want the grid of five", next)
	}
	if due := s.due(at(10), nil); len(due) != 2 {
		t.Errorf("%d due at ten, want both on one tick", len(due))
	}
	s.hasten("probe.five", at(11)) // while it looks
	s.done("probe.five", at(12), true)
	if next := s.next(at(12)); !next.Equal(at(12)) {
		t.Errorf("next at %s, want the look that was asked for meanwhile", next)
	}
}

func TestAProbeThatIsNotWellLooksAgainSooner(t *testing.T) {
	start := time.Unix(1_000_000_020, 0)
	s := newSchedule([]probes.Probe{look{&world{}, "realm", time.Minute}}, start)
	now := start
	var waits []time.Duration
	for range 6 {
		s.due(now, nil)
		s.done("probe.realm", now, false)
		waits = append(waits, s.next(now).Sub(now))
		now = s.next(now)
	}
	for i, want := range []time.Duration{2, 4, 8, 16} {
		if waits[i] != want*time.Second {
			t.Errorf("waits %v, want them to double", waits)
			break
		}
	}
	if last := waits[5]; last > time.Minute {
		t.Errorf("waits %s at last, want no more than the period", last)
	}
}
