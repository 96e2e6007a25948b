package rules

import (
	"time"

	"watchdog/probes"
)

// A Rule is one row of the book: a fault, what it means, and what is done about
// it.
type Rule struct {
	Code  probes.Code
	Title string // at most 60 characters
	// Explain says why it happens and what a person would check.
	Explain  string
	Severity Severity
	Scope    Scope
	// DependsOn lists what can explain this fault: when one of these is
	// found too, this is its symptom.
	DependsOn []Ref
	// For is how long it must last before anything is done; zero means that
	// confirmation is enough.
	For time.Duration
	// Confirm is how many looks in a row must see it; zero means 2.
	Confirm int
	// Door marks a fault that lets somebody in. It is healed at once, without
	// confirmation.
	Door bool
	Mode Mode
	// Remedies by ID, mildest first; "{subject}" stands for the finding's
	// subject. None when nothing can be done from here.
	Remedies []string
	Budget   Budget
	// Fix is what a person does about it, where the daemon does not; lines may
	// hold {subject}.
	Fix []string
	// Drill names the scenario that rehearses it.
	Drill string
	// OfRemedy says that its subject is a remedy, and that every fault whose
	// ladder holds that remedy explains it.
	OfRemedy bool
}

// A Ref points at a code, and at one subject of it when Subject is not empty;
// "{subject}" stands for the subject of the fault that depends.
type Ref struct {
	Code    probes.Code `json:"code"`
	Subject string      `json:"subject,omitempty"`
	// When limits the edge to one subject of the fault that depends, where a
	// row stands for several things ("service.dead").
	When string `json:"-"`
	// Stays marks a fault that does not end with Code: a certificate that ran
	// out while its timer was off. Nobody waits for it to go when that is
	// healed: it is a cause of its own then.
	Stays bool `json:"-"`
	// MustSee holds this fault back while the probes that tell of Code can't
	// look.
	MustSee bool `json:"-"`
}

func (r Ref) String() string {
	if r.Subject == "" {
		return string(r.Code)
	}
	return string(r.Code) + " " + r.Subject
}

// On refers to code befalling subject.
func On(code probes.Code, subject string) Ref { return Ref{Code: code, Subject: subject} }

// Severity of a fault for the people who use the stack.
type Severity string

// Severities.
const (
	Critical Severity = "critical" // nobody can log in, or anybody can
	Warning  Severity = "warning"  // it works, and will not for long
	Info     Severity = "info"
)

// Scope says whose fault it is.
type Scope string

// A fault is on this host, or seen from here on another.
const (
	Here  Scope = "here"
	There Scope = "there"
)

// Mode says who lets a remedy run.
type Mode string

// Modes, loosest first. The zero value counts as Auto.
const (
	Auto    Mode = "auto"
	Ask     Mode = "ask"
	Observe Mode = "observe"
)

// Tighter returns the stricter of two modes.
func (m Mode) Tighter(n Mode) Mode {
	if m.rank() >= n.rank() {
		return m
	}
	return n
}

func (m Mode) rank() int {
	switch m {
	case Ask:
		return 1
	case Observe:
		return 2
	}
	return 0
}

// A Budget bounds how often a rule may act.
type Budget struct {
	Attempts int
	Within   time.Duration
}

// About returns the rule with its texts and edges for one subject: those that
// hold for another are left out.
func (r Rule) About(subject string) Rule {
	r.Explain = fill(r.Explain, subject)
	r.Remedies, r.Fix = fillAll(r.Remedies, subject), fillAll(r.Fix, subject)
	var edges []Ref
	for _, e := range r.DependsOn {
		if e.When == "" || e.When == subject {
			edges = append(edges, On(e.Code, fill(e.Subject, subject)))
		}
	}
	r.DependsOn = edges
	return r
}

func fillAll(texts []string, subject string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = fill(t, subject)
	}
	return out
}

// A Fix is one thing that ends a fault, and who does it.
type Fix struct {
	By      string `json:"by"` // "daemon" or "you"
	Action  string `json:"action"`
	Command string `json:"command,omitempty"`
}

func (f Fix) String() string {
	if f.By == "daemon" {
		return "watchdog does it: " + f.Action
	}
	if f.Command == "" {
		return f.Action
	}
	return "you: " + f.Command
}

// Fixes says how a fault of the row ends under mode m: by the daemon's first
// remedy where it may act, once what it awaits has come about, and by what a
// person can type in any case.
func (r Rule) Fixes(m Mode, f probes.Finding) []Fix {
	out := []Fix{}
	if len(r.Remedies) > 0 {
		action := fill(r.Remedies[0], f.Subject)
		if f.Awaits != "" {
			action += ", once " + f.Awaits
		}
		switch m {
		case Auto:
			out = append(out, Fix{By: "daemon", Action: action})
		case Ask:
			out = append(out, Fix{By: "daemon", Action: action + ", once a person approves"})
		}
	}
	for _, line := range r.Fix {
		out = append(out, Fix{By: "you", Action: "type", Command: fill(line, f.Subject)})
	}
	return out
}
