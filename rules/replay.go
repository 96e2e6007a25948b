package rules

import (
	"slices"
	"time"
)

// A Replayed is one moment of a recording: what was decided then, and what the
// present rules decide.
type Replayed struct {
	At        time.Time  `json:"at"`
	Was       []Decision `json:"was"`
	Is        []Decision `json:"is"`
	Different bool       `json:"different"`
}

// Replay feeds a recording to a core with the given table of rules, and returns
// each moment at which one of the two changed its mind. What a remedy did then
// is as it was: the recording's attempts are taken for granted.
func Replay(table []Rule, rec Recording) []Replayed {
	b := NewBook(table, nil, nil)
	b.Tells, b.Calm, b.Cures = rec.Tells, rec.Calm, rec.Cures
	c := NewCore(b, rec.Order, rec.Base.memory())
	var (
		out    []Replayed
		policy Policy
		was    []Decision
		before []string
	)
	for _, l := range rec.Lines {
		switch {
		case l.Look != nil:
			c.See(l.At, l.Look.result())
		case l.Begin != nil:
			c.Begin(*l.Begin)
		case l.End != nil:
			c.End(l.At, l.End.Attempt, l.End.Healed, l.End.Since)
		case l.Turn != nil:
			if l.Turn.Policy != nil {
				policy = l.Turn.Policy.policy()
			}
			if l.Turn.Changed {
				was = l.Turn.Decided
			}
			c.turn(l.At, policy)
			is := c.Decisions()
			now := texts(is)
			different := !slices.Equal(texts(was), now)
			if l.Turn.Changed || !slices.Equal(before, now) {
				out = append(out, Replayed{At: l.At, Was: was, Is: is, Different: different})
			}
			before = now
		}
	}
	return out
}

func texts(ds []Decision) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.String()
	}
	slices.Sort(out)
	return out
}
