package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// A Recording is everything that a [Core] was told while something was wrong,
// and what it decided: fed to a core again it comes to the same, or the rules
// have changed.
type Recording struct {
	Schema  int       `json:"schema"`
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"`
	// What the book knew of this host then: the probes in order, who told of
	// what, and the remedies.
	Order []string                 `json:"order"`
	Tells map[probes.Code][]string `json:"tells"`
	Calm  map[string]bool          `json:"calm"`
	Cures map[string]remedies.Spec `json:"cures"`
	// Base is the memory at the start.
	Base  Base   `json:"base"`
	Lines []Line `json:"lines"`
	// Cut says why it ends before the faults did, if it does.
	Cut string `json:"cut,omitempty"`
}

// A Line is one thing that happened. Exactly one of its parts is set.
type Line struct {
	At    time.Time `json:"at"`
	Look  *Look     `json:"look,omitempty"`
	Turn  *Turn     `json:"turn,omitempty"`
	Begin *Ref      `json:"begin,omitempty"`
	End   *End      `json:"end,omitempty"`
}

// A Look is one answer of a probe.
type Look struct {
	Probe    string           `json:"probe"`
	State    probes.State     `json:"state"`
	At       time.Time        `json:"at"` // when it began
	Took     time.Duration    `json:"took"`
	Error    string           `json:"error,omitempty"`
	Findings []probes.Finding `json:"findings,omitempty"`
}

// LookOf makes a result one that can be written down.
func LookOf(r probes.Result) *Look {
	l := &Look{Probe: r.Probe, State: r.State, At: r.At, Took: r.Took, Findings: r.Findings}
	if r.Err != nil {
		l.Error = r.Err.Error()
	}
	return l
}

func (l Look) result() probes.Result {
	r := probes.Result{Probe: l.Probe, State: l.State, At: l.At, Took: l.Took, Findings: l.Findings}
	if l.Error != "" {
		r.Err = errors.New(l.Error)
	}
	return r
}

// A Turn is one decision: under which policy, and what was decided when that is
// not what was decided before.
type Turn struct {
	Policy  *PolicyRecord `json:"policy,omitempty"` // when it is another one
	Decided []Decision    `json:"decided,omitempty"`
	Changed bool          `json:"changed"`
}

// A Decision is a diagnosis with its action.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	Action
}

// Decisions are those of the core's newest turn.
func (c *Core) Decisions() []Decision {
	out := make([]Decision, len(c.Actions))
	for i, a := range c.Actions {
		out[i] = Decision{c.Diagnoses[i].Verdict, a}
	}
	return out
}

// String is the decision without its reason, which holds times.
func (d Decision) String() string {
	s := fmt.Sprintf("%s %s: %s", d.Verdict, d.Fault, d.Kind)
	if d.Remedy != "" && d.Kind != Report {
		s += " by " + d.Remedy
	}
	return s
}

// An End is what became of a remedy at work.
type End struct {
	Attempt Attempt   `json:"attempt"`
	Healed  []Ref     `json:"healed,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// A PolicyRecord is a [Policy] that can be written down.
type PolicyRecord struct {
	Mode      Mode                 `json:"mode,omitempty"`
	Modes     map[probes.Code]Mode `json:"modes,omitempty"`
	Hold      string               `json:"hold,omitempty"`
	Forgetful string               `json:"forgetful,omitempty"`
	Resumed   time.Time            `json:"resumed,omitzero"`
	Approved  map[string]Approval  `json:"approved,omitempty"`
}

// Record makes p one that can be written down.
func (p Policy) Record() *PolicyRecord {
	return &PolicyRecord{p.Mode, p.Modes, p.Hold, p.Forgetful, p.Resumed, byText(p.Approved)}
}

func (p PolicyRecord) policy() Policy {
	return Policy{p.Mode, p.Modes, p.Hold, p.Forgetful, p.Resumed, byRef(p.Approved)}
}

// A Base is a [Memory] that can be written down.
type Base struct {
	Sightings map[string]Sighting    `json:"sightings"`
	Onsets    map[string][]time.Time `json:"onsets"`
	Healed    map[string]time.Time   `json:"healed"`
	Latest    []*Look                `json:"latest"`
	Attempts  []Attempt              `json:"attempts"`
	Healing   *Ref                   `json:"healing,omitempty"`
	Held      time.Time              `json:"held,omitzero"`
	Holding   bool                   `json:"holding,omitempty"`
	Worked    time.Time              `json:"worked,omitzero"`
	Booted    time.Time              `json:"booted,omitzero"`
	Ready     bool                   `json:"ready"`
}

// Base is the memory as it is now; what comes after does not change it.
func (m *Memory) Base() Base {
	b := Base{
		Sightings: byText(m.Sightings), Onsets: byText(m.Onsets), Healed: byText(m.Healed),
		Attempts: slices.Clone(m.Attempts), Healing: m.Healing,
		Held: m.Held, Holding: m.Holding, Worked: m.Worked, Booted: m.Booted, Ready: m.Ready,
	}
	for ref, times := range b.Onsets {
		b.Onsets[ref] = slices.Clone(times)
	}
	for _, r := range m.Latest {
		b.Latest = append(b.Latest, LookOf(r))
	}
	slices.SortFunc(b.Latest, func(x, y *Look) int { return strings.Compare(x.Probe, y.Probe) })
	return b
}

func (b Base) memory() Memory {
	m := NewMemory(slices.Clone(b.Attempts))
	m.Sightings, m.Onsets, m.Healed = byRef(b.Sightings), byRef(b.Onsets), byRef(b.Healed)
	m.Healing, m.Held, m.Holding, m.Worked, m.Booted, m.Ready = b.Healing, b.Held, b.Holding, b.Worked, b.Booted, b.Ready
	for _, l := range b.Latest {
		m.Latest[l.Probe] = l.result()
	}
	return m
}

func byText[V any](in map[Ref]V) map[string]V {
	out := make(map[string]V, len(in))
	for ref, v := range in {
		out[ref.String()] = v
	}
	return out
}

func byRef[V any](in map[string]V) map[Ref]V {
	out := make(map[Ref]V, len(in))
	for text, v := range in {
		out[ParseRef(text)] = v
	}
	return out
}

// ParseRef reads what [Ref.String] writes.
func ParseRef(text string) Ref {
	code, subject, _ := strings.Cut(text, " ")
	return On(probes.Code(code), subject)
}
