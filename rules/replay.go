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
	p := player{core: NewCore(b, rec.Order, rec.Base.memory()), was: []Decision{}}
	for _, l := range rec.Lines {
		p.until(l.At)
		switch {
		case l.Look != nil:
			p.core.See(l.At, l.Look.result())
		case l.Begin != nil:
			p.core.Begin(*l.Begin)
		case l.End != nil:
			p.core.End(l.At, l.End.Attempt, l.End.Healed, l.End.Since)
		case l.Turn != nil:
			p.turn(l.At, *l.Turn)
			continue
		}
		if p.parted() && p.core.Turn(l.At, p.policy) {
			p.compare(l.At, false)
		}
	}
	return p.out
}

// A player replays one recording. While the rules come to what was decided then
// it decides when they did. Once they part it decides when it has reason to by
// itself: rules that wait for longer come to act at a time of their own.
type player struct {
	core   *Core
	policy Policy
	was    []Decision
	before []string // what the present rules decided last
	out    []Replayed
}

func (p *player) parted() bool {
	return len(p.out) > 0 && p.out[len(p.out)-1].Different
}

// until decides at each time before t that a decision waits for.
func (p *player) until(t time.Time) {
	for last := (time.Time{}); p.parted(); {
		due := p.core.Due()
		if due.IsZero() || !due.After(last) || !due.Before(t) {
			return
		}
		last = due
		p.core.turn(due, p.policy)
		p.compare(due, false)
	}
}

// turn decides as it was decided then.
func (p *player) turn(at time.Time, t Turn) {
	if t.Policy != nil {
		p.policy = t.Policy.policy()
	}
	if t.Changed {
		p.was = append([]Decision{}, t.Decided...) // none is an empty list
	}
	p.core.turn(at, p.policy)
	p.compare(at, t.Changed)
}

// compare notes the moment if either changed its mind.
func (p *player) compare(at time.Time, changed bool) {
	is := p.core.Decisions()
	now := texts(is)
	if changed || !slices.Equal(p.before, now) {
		p.out = append(p.out, Replayed{At: at, Was: p.was, Is: is, Different: !slices.Equal(texts(p.was), now)})
	}
	p.before = now
}

func texts(ds []Decision) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.String()
	}
	slices.Sort(out)
	return out
}
