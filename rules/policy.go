package rules

import (
	"time"

	"watchdog/probes"
)

// A Policy is what the site and the people at work allow at a moment.
type Policy struct {
	Mode  Mode
	Modes map[probes.Code]Mode
	// Hold, when not empty, says why nothing at all may be done: the kill
	// switch, a pause, a package manager at work.
	Hold string
	// Forgetful, when not empty, says why nothing can be written down: only what
	// costs little and needs no secret is done then, and remembered in memory.
	Forgetful string
	// Resumed is when a person last said that it may go on: attempts before
	// count in no budget.
	Resumed time.Time
	// Approved are the plans that a person approved, by fault.
	Approved map[Ref]Approval
}

// An Approval lets one plan run once, within an hour.
type Approval struct {
	Remedy string    `json:"remedy"`
	Plan   string    `json:"plan"` // its hash: what was shown is what is done
	At     time.Time `json:"at"`
}

// ApprovalLasts is how long a person's word counts.
const ApprovalLasts = time.Hour

// ModeOf returns the mode a rule has under the policy: the tightest of the
// book's, the site's, and the site's for this code.
func (p Policy) ModeOf(r Rule) Mode {
	m := r.Mode.Tighter(p.Mode).Tighter(p.Modes[r.Code])
	if m == "" {
		return Auto
	}
	return m
}
