package rules

import (
	"errors"
	"maps"
	"slices"
	"time"

	"watchdog/probes"
)

// A Core is the deciding half of the engine: what was seen and tried, and what
// follows from it. It has no clock and does no I/O. The daemon feeds it what
// happens; replay and the tests feed it what happened or might.
type Core struct {
	Book   Book
	Memory Memory
	// Diagnoses and Actions are those of the newest turn; one action for each
	// diagnosis.
	Diagnoses []Diagnosis
	Actions   []Action

	order  []string // the probes, as Diagnose wants to have them
	policy Policy   // of the newest turn
	stale  bool     // something changed since the newest turn
}

// NewCore makes a core for the probes of that order.
func NewCore(b Book, order []string, m Memory) *Core {
	return &Core{Book: b, Memory: m, order: order, stale: true}
}

// errOutdated is the answer of a look that began before its fault was healed.
var errOutdated = errors.New("looks again: what it saw was healed meanwhile")

// See books one look of a probe.
func (c *Core) See(now time.Time, r probes.Result) Seen {
	s := c.Memory.See(now, &c.Book, r)
	c.stale = c.stale || s.Changed || len(s.Gone) > 0 || c.open()
	return s
}

// open reports whether a decision hangs on what the next looks say.
func (c *Core) open() bool {
	if c.Memory.Healing != nil {
		return true
	}
	for i := range c.Actions {
		if k := c.Actions[i].Kind; k == Wait || k == Heal {
			return true
		}
	}
	return false
}

// Turn diagnoses and decides anew, if anything changed since it last did: what
// was seen, what is allowed, or the time that a decision was waiting for. It
// reports whether it did.
func (c *Core) Turn(now time.Time, p Policy) bool {
	if !c.stale && !c.due(now) && c.policy.Same(p) {
		return false
	}
	c.turn(now, p)
	return true
}

// Stale reports whether something changed since the newest turn.
func (c *Core) Stale() bool { return c.stale }

func (c *Core) turn(now time.Time, p Policy) {
	if p.Hold != "" || c.Memory.Holding { // in force until now
		c.Memory.Held = now
	}
	c.stale, c.policy, c.Memory.Holding = false, p, p.Hold != ""
	c.Diagnoses = Diagnose(c.Book, c.results())
	c.Memory.Ready = c.Memory.Ready || c.well()
	c.Memory.stand(now, c.Diagnoses)
	c.Actions = Decide(now, c.Book, c.Diagnoses, c.Memory, p)
}

// Due is when time alone may change a decision, zero for never.
func (c *Core) Due() time.Time {
	var due time.Time
	for _, a := range c.Actions {
		if !a.Until.IsZero() && (due.IsZero() || a.Until.Before(due)) {
			due = a.Until
		}
	}
	return due
}

func (c *Core) due(now time.Time) bool {
	due := c.Due()
	return !due.IsZero() && !now.Before(due)
}

// Begin says that a remedy is at work against a fault.
func (c *Core) Begin(fault Ref) {
	c.Memory.Healing, c.stale = &fault, true
}

// End books what became of it. healed are the faults that are gone by it, as of
// since.
func (c *Core) End(now time.Time, a Attempt, healed []Ref, since time.Time) {
	c.Memory.Healing, c.Memory.Worked, c.stale = nil, now, true
	for _, ref := range healed {
		c.Memory.Healed[ref] = since
	}
	c.Memory.tried(now, a)
}

// results are the newest of all probes that have looked, in order.
func (c *Core) results() []probes.Result {
	out := make([]probes.Result, 0, len(c.order))
	for _, id := range c.order {
		if r, ok := c.Memory.Latest[id]; ok {
			out = append(out, r)
		}
	}
	return out
}

// well reports whether every probe has looked and all is well.
func (c *Core) well() bool {
	return !slices.ContainsFunc(c.order, func(id string) bool { return c.Memory.Latest[id].State != probes.OK })
}

// Same reports whether both allow the same.
func (p Policy) Same(q Policy) bool {
	if p.Mode != q.Mode || !maps.Equal(p.Modes, q.Modes) {
		return false
	}
	if p.Hold != q.Hold || p.Forgetful != q.Forgetful || !p.Resumed.Equal(q.Resumed) || len(p.Approved) != len(q.Approved) {
		return false
	}
	for fault, a := range p.Approved {
		if b, ok := q.Approved[fault]; !ok || a.Plan != b.Plan || !a.At.Equal(b.At) {
			return false
		}
	}
	return true
}
