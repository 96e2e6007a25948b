// Package probes holds the eyes of the program: what a probe is, what it may
// answer, and how a set of them is run together. One package below it per
// layer (system, dns, certs, postgres, …) holds the probes themselves.
//
// Where it stands: site file ─▶ Stack ─▶ [probes ─▶ findings] ─▶ Diagnose ─▶ Decide ─▶ remedy.
//
// A probe is plain data. It looks through a [host.Host], which has no writing
// method, and gives one of three answers:
//
//	findings, nil   something is wrong
//	nil, nil        all is well
//	nil, err        it could not look; never evidence of a fault
package probes

import (
	"context"
	"time"

	"watchdog/probes/host"
)

// A Code names a fault for ever, as layer.fault ("cert.copy-stale"). It is
// metric label, log key, rule key and the argument of explain. The thing it
// befell goes into [Finding.Subject].
type Code string

// A Finding says that something is wrong.
type Finding struct {
	Code Code `json:"code"`
	// Subject is the thing at fault, in the words a rule matches on: a service
	// ("keycloak"), a name, an address, a port. Empty when the code says it all.
	Subject string `json:"subject,omitempty"`
	// Summary is one sentence for a person, without a full stop.
	Summary  string     `json:"summary"`
	Evidence []Evidence `json:"evidence"`
	// Awaits says what has to come about, by somebody else's hand, before any
	// remedy could help, as in "once …": "port 8081 is free". Empty as a rule.
	Awaits string `json:"awaits,omitempty"`
}

// Evidence is for people; nothing ever parses it. It holds no secrets and at
// most 1 KiB.
type Evidence struct {
	// Source is where it was seen: a URL, file:line, unit, or SQL view.
	Source string `json:"source"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	// Command lets a person see the same thing.
	Command string `json:"command,omitempty"`
}

// A Spec says what a probe is without running it.
type Spec struct {
	ID      string // "postgres.login.v6": layer first, unique in the program
	Summary string // what it looks at, one line
	Codes   []Code // every code Observe may return
	// Every is the default time between two looks, Timeout the most one look
	// may take. The runner sets the deadline; nothing below invents one.
	Every, Timeout time.Duration
	// Wakes lists the events after which a look is due at once.
	Wakes []Wake
	// Calm says that a look tells nothing while a remedy is at work: it is made
	// again after.
	Calm bool
}

// A Wake is an event on the host that makes a probe due at once.
type Wake struct {
	Kind WakeKind
	// Name is a service's name, or a file's path as [host.Layout.File] reads
	// it; empty where there is one thing only, and [Any] for whatever of that
	// kind wakes another probe.
	Name string
}

// Any stands for every name that some other probe is woken by.
const Any = "*"

// WakeKind is the source of a [Wake].
type WakeKind string

// The sources of events: the service manager, the file system, the kernel's
// addresses and routes, its rule set.
const (
	WakeUnit     WakeKind = "unit"
	WakeFile     WakeKind = "file"
	WakeAddress  WakeKind = "address"
	WakeFirewall WakeKind = "firewall"
)

// A Probe looks at one thing. It is plain data; all it may touch is in h.
type Probe interface {
	Spec() Spec
	// Observe returns what is wrong, or nothing. An error means the probe
	// could not look. It honours ctx at once.
	Observe(ctx context.Context, h *host.Host) ([]Finding, error)
}

// State is a probe's answer in one word.
type State string

// The three answers, and the absence of one.
const (
	OK      State = "ok"
	Failing State = "failing"
	Unknown State = "unknown" // could not look, or has not looked yet
)

// A Result is one look of one probe.
type Result struct {
	Probe    string
	State    State
	Findings []Finding
	Err      error // set when State is Unknown
	At       time.Time
	Took     time.Duration
}
