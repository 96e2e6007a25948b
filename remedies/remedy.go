// Package remedies is the hands of the program: what a remedy is, what a plan
// is made of, and how a plan is applied or put back. One file per service holds
// the remedies themselves; package hands is the only code that changes a
// machine.
//
// Where it stands: … Diagnose ─▶ Decide ─▶ [remedy: plan ─▶ apply] ─▶ probes again (the proof).
//
// Installing a host is healing an empty one: each remedy knows what its part of
// the host should look like, install runs them all in order, the daemon the one
// that is needed. A remedy changes nothing itself; it reads and returns a
// [Plan]. Planning again after the plan was applied gives an empty one. File
// formats are parsed and edited in probes/format.
package remedies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/probes/host"
)

// A Remedy makes one part of the host what it should be.
type Remedy interface {
	Spec() Spec
	// Plan reads the host and returns what is to be done; an empty plan when
	// all is as it should be. It must work on a bare host: what can't be read
	// because it does not exist yet is planned as if it were absent.
	Plan(ctx context.Context, h *host.Host) (Plan, error)
}

// A Spec says what a remedy is without planning it.
type Spec struct {
	ID      string // "postgres.hba"
	Summary string // imperative, one line: "write pg_hba.conf"
	Risk    Risk
	// Timeout bounds one Apply.
	Timeout time.Duration
	// Services lists those it may restart, by service name: any other
	// restart while it runs is collateral damage.
	Services []string
	// NeedsSecret says that its plan reads a generated secret.
	NeedsSecret bool
}

// Risk is the worst a remedy's plan may cost while it runs.
type Risk int

// Risks, mildest first.
const (
	Harmless Risk = iota // nobody notices
	Blip                 // some requests fail: a reload, a quick restart
	Outage               // logins fail for seconds
	DataLoss             // what is lost is not got back; never automatic
)

var riskNames = [...]string{"harmless", "blip", "outage", "data loss"}

func (r Risk) String() string { return riskNames[r] }

// MarshalText makes a Risk a word in JSON.
func (r Risk) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads that word.
func (r *Risk) UnmarshalText(text []byte) error {
	i := slices.Index(riskNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("no risk %q", text)
	}
	*r = Risk(i)
	return nil
}

// A Plan is what a remedy is going to do, in this order.
type Plan struct {
	Remedy string
	Risk   Risk // the remedy's; set by whoever asked for the plan
	// Waits names what has to be there first ("secret db-password"); such a
	// plan is for showing, and Apply refuses it.
	Waits   []string
	Steps   []Step   // can't be undone: idempotent, resumed
	Edits   []Edit   // state at rest; undone byte for byte
	Gates   []Gate   // the format's owner is asked
	Effects []Effect // restart, reload; repeatable
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool {
	return len(p.Steps) == 0 && len(p.Edits) == 0 && len(p.Effects) == 0
}

// OnlyWaits reports whether all there is to do is to wait: for an installation
// that goes on after, and nothing for one who heals.
func (p Plan) OnlyWaits() bool {
	for _, e := range p.Effects {
		if _, ok := e.(Until); !ok {
			return false
		}
	}
	return len(p.Steps) == 0 && len(p.Edits) == 0
}

// Lines describes the plan, one line a change. Gates are left out: they change
// nothing.
func (p Plan) Lines() []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, s.String())
	}
	for _, e := range p.Edits {
		out = append(out, e.String())
	}
	for _, e := range p.Effects {
		out = append(out, e.String())
	}
	return out
}

// Hash names the plan by what it shows of itself: two plans of one hash read
// the same to the person who approves them.
func (p Plan) Hash() string {
	sum := sha256.Sum256([]byte(strings.Join(p.Lines(), "\n") + "\n" + p.Diff()))
	return hex.EncodeToString(sum[:6])
}

// Touches lists the files that the plan's edits change and the units that its
// effects are for.
func (p Plan) Touches() (files, units []string) {
	for _, e := range p.Edits {
		if w, ok := e.(Write); ok {
			files = append(files, w.Path)
		}
	}
	for _, r := range p.Records() {
		if r.Unit != "" {
			units = append(units, r.Unit)
		}
	}
	return files, units
}

// Diff shows the plan's edits as one unified diff, secrets redacted.
func (p Plan) Diff() string {
	var b strings.Builder
	for _, e := range p.Edits {
		b.WriteString(e.Diff())
	}
	return b.String()
}

// A Step can't be undone (a package, a database, a user, a certificate order).
// It is idempotent: a killed one is finished by doing it again.
type Step interface {
	String() string // imperative: "install package nginx"
	// Done reports whether there is nothing left to do.
	Done(ctx context.Context, h *host.Host) (bool, error)
	Do(ctx context.Context, w Hands, h *host.Host) error
}

// An Edit changes state at rest. Do compares before it swaps ([ErrStale]); so
// does Undo, which leaves alone what is no longer what Do wrote. Doing what is
// done already, and undoing what was never done, changes nothing and is no
// error: a plan that was cut off anywhere can be finished or put back.
type Edit interface {
	String() string
	Diff() string
	Do(ctx context.Context, w Hands) error
	Undo(ctx context.Context, w Hands) error
}

// A Gate asks the owner of a format whether it will take what the edits wrote:
// nginx -t, nft -c.
type Gate interface {
	String() string
	Pass(ctx context.Context, w Hands) error
}

// An Effect makes the running system follow the files: reload, restart.
type Effect interface {
	String() string
	Do(ctx context.Context, w Hands) error
	// Settled waits until the effect has taken, or ctx ends. It judges only
	// that the step itself took, not that the fault is gone.
	Settled(ctx context.Context, h *host.Host) error
}

// ErrStale says that something is no longer what the plan had read. Nothing
// was written.
var ErrStale = errors.New("changed since it was planned")

// ErrBusy says that somebody else holds the package manager. Nothing was
// changed; the error that wraps it names the holder where one was found.
var ErrBusy = errors.New("the package manager is busy")

// A SQLError is PostgreSQL's refusal of a statement.
type SQLError struct {
	State   string // SQLSTATE: "42704"
	Message string // the server's own, without the statement
}

func (e *SQLError) Error() string { return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.State) }

// Hands is all that this program can do to a machine. The real ones are in
// package hands; remedytest has ones that remember and fail on demand.
type Hands interface {
	Files
	Services
	Commands
	SQL
	Keycloak
	Archives
}

// Files changes files, directories and links.
type Files interface {
	// Write makes name what new says, or removes it when new is nil, if it
	// still is what old says; otherwise [ErrStale]. What already is as new says
	// is left as it is, without error. A file is replaced atomically and
	// synced; a directory's parent must exist. The first bytes of a file that
	// this program did not make are kept below /var/lib/watchdog/original.
	// Names below /proc/sys are kernel parameters, written in place; of them
	// only the value counts, without the space around it.
	Write(ctx context.Context, name string, old, new *host.Node) error
}

// Services changes services. Every call has a deadline of its own.
type Services interface {
	// Service does v to the named unit and returns when the manager says the
	// job is done.
	Service(ctx context.Context, unit string, v Verb) error
}

// Verb is something done to a service.
type Verb string

// The verbs. Reread makes the manager read its unit files again; its unit name
// is empty. Kill ends a process that no longer listens to Stop.
const (
	Start       Verb = "start"
	Stop        Verb = "stop"
	Restart     Verb = "restart"
	Reload      Verb = "reload"
	Enable      Verb = "enable"
	Disable     Verb = "disable"
	Unmask      Verb = "unmask"
	ResetFailed Verb = "reset-failed"
	Reread      Verb = "daemon-reload"
	Kill        Verb = "kill"
)

// Commands runs programs from a closed list.
type Commands interface {
	Run(ctx context.Context, c Command) ([]byte, error)
}

// A Command is one call of a program on the closed list of package hands.
// Name is the list's own ("nginx-test", "certbot-certonly"), Args fill its
// places; each place has its own pattern and nothing goes through a shell.
type Command struct {
	Name  string   `json:"name"`
	Args  []string `json:"args,omitempty"`
	Stdin []byte   `json:"stdin,omitempty"`
	// Env holds secrets for the one short-lived process, by variable. It is
	// never written down.
	Env map[string]host.Secret `json:"-"`
}

// SQL changes PostgreSQL as its superuser over the local socket.
type SQL interface {
	// Exec runs one statement outside a transaction. Secrets never stand in it
	// in clear: passwords go as SCRAM verifiers. Identifiers are quoted by the
	// caller. A refusal is a [*SQLError].
	Exec(ctx context.Context, database, statement string, args ...any) error
}

// Keycloak changes a realm through the admin REST interface.
type Keycloak interface {
	// Admin sends body as JSON and decodes the answer into reply, when either
	// is not nil. Method is POST, PUT or DELETE; path begins with a realm's
	// name ("breath/clients"), or is empty to create one. It returns the path
	// of what was created, in the same form, if anything was. A refusal is a
	// [*host.AdminError].
	Admin(ctx context.Context, a host.Admin, method, path string, body, reply any) (location string, err error)
}

// Archives unpacks what no package brings.
type Archives interface {
	// Unpack makes directory dir, which must not exist yet, from a: all of it
	// or nothing. An archive whose files are all in one directory becomes that
	// directory. Owner is root, modes are the archive's.
	Unpack(ctx context.Context, a Archive, dir string) error
}

// An Archive is a .tar.gz, pinned. It is looked for by name in
// /var/cache/watchdog/artifacts, and downloaded to there when it isn't.
type Archive struct {
	Name   string // file name: "keycloak-26.7.0.tar.gz"
	URL    string // https only
	SHA256 string // in hex; nothing that differs is unpacked
}

// waitsError is what applying a plan with Waits returns.
func waitsError(p Plan) error {
	return fmt.Errorf("apply %s: not possible before there is %s", p.Remedy, strings.Join(p.Waits, ", "))
}
