package remedies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"watchdog/probes/host"
)

// A Service makes a service of the stack run, and start at boot, whatever it
// takes: unmasked, its failures forgotten, enabled, started.
type Service struct {
	Name string // of the service, not of its unit: "postgresql"
	Risk Risk   // of starting it
	// Ready, when not nil, is what the service's users need before it counts
	// as started.
	Ready func(ctx context.Context, h *host.Host) error
	// UnitFile, when not nil, returns the edits that make the unit's file what
	// it should be: for those that this program wrote.
	UnitFile func(h *host.Host) ([]Edit, error)
}

// serviceTime bounds starting or restarting a service: the first start of
// Keycloak on a loaded machine takes a minute.
const serviceTime = 3 * time.Minute

// Spec implements [Remedy].
func (r Service) Spec() Spec {
	return Spec{
		ID: "service." + r.Name, Summary: "start " + r.Name + ", now and at boot",
		Risk: r.Risk, Timeout: serviceTime, Services: []string{r.Name},
	}
}

// Plan implements [Remedy]. A unit that does not exist yet is waited for.
func (r Service) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	unit := h.Facts.Layout.Unit(r.Name)
	u, err := h.Init.Unit(ctx, unit)
	if err != nil {
		return Plan{}, err
	}
	do := func(v Verb) { p.Effects = append(p.Effects, Do{Verb: v, Unit: unit}) }
	running := u.State == host.Running || u.State == host.Starting || u.State == host.Stopping
	switch {
	case u.State == host.Absent:
		p.Waits = []string{"unit " + unit}
	case u.State == host.Masked, running && !u.Enabled:
		// A mask does not show while the service runs, and taking one off that
		// is not there is nothing.
		if p.Edits, err = r.unmasked(h, unit); err != nil {
			return Plan{}, err
		}
		do(Unmask)
	case u.State == host.Failed:
		do(ResetFailed)
	}
	if !u.Enabled {
		do(Enable)
	}
	// What is on its way and never gets there is for the second rung.
	if !running {
		p.Effects = append(p.Effects, Do{Verb: Start, Unit: unit, Ready: r.Ready})
	} else if r.Ready != nil && !answers(ctx, h, r.Ready) {
		// It was started a moment ago, perhaps by a run that did not live to
		// see it ready: what comes after it needs it ready.
		p.Effects = append(p.Effects, Until{What: r.Name + " is ready", Ready: r.Ready})
	}
	return p, nil
}

// unmasked returns the edits that put a unit's file back where a mask took its
// place. One that is there otherwise than it should be is not this remedy's.
func (r Service) unmasked(h *host.Host, unit string) ([]Edit, error) {
	if r.UnitFile == nil {
		return nil, nil
	}
	if masked, err := masksFile(h, unit); err != nil || !masked {
		return nil, err
	}
	return r.UnitFile(h)
}

// answerTime is how long a service that runs may take to say that it is ready.
const answerTime = 2 * time.Second

func answers(ctx context.Context, h *host.Host, ready func(context.Context, *host.Host) error) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return ready(ctx, h) == nil
}

// A ServiceRestart is the second rung of [Service], for what runs and does not
// answer. Its plan is never empty: it belongs to no installation and tells of
// no drift.
type ServiceRestart struct {
	Name string
	Risk Risk
	// Grace is how long the service may take to stop before it is killed.
	Grace time.Duration
	Ready func(ctx context.Context, h *host.Host) error
}

// Spec implements [Remedy].
func (r ServiceRestart) Spec() Spec {
	return Spec{
		ID: "service." + r.Name + ".restart", Summary: "restart " + r.Name + ", killed if it does not stop",
		Risk: r.Risk, Timeout: serviceTime, Services: []string{r.Name},
	}
}

// Plan implements [Remedy].
func (r ServiceRestart) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	unit := h.Facts.Layout.Unit(r.Name)
	e := restart{Do{Verb: Restart, Unit: unit, Ready: r.Ready}, r.Grace}
	if u, err := h.Init.Unit(ctx, unit); err == nil && frozen(h, u.PID) {
		e.grace = 0
	}
	return Plan{Remedy: r.Spec().ID, Effects: []Effect{e}}, nil
}

// frozen reports whether a process is stopped by a signal or a debugger: it
// would hear of no other before it is let go on, and nobody waits for it.
func frozen(h *host.Host, pid int) bool {
	if pid == 0 {
		return false
	}
	stat, err := h.FS.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The state follows the program's name, which may hold anything.
	after := bytes.TrimLeft(stat[bytes.LastIndexByte(stat, ')')+1:], " ")
	return err == nil && len(after) > 0 && (after[0] == 'T' || after[0] == 't')
}

// A restart is the effect of the verb of that name on a service that may no
// longer listen: a stopped process takes no signal but one, and the unit of
// Debian's PostgreSQL waits an hour for it.
type restart struct {
	do    Do
	grace time.Duration // zero kills at once
}

func (e restart) String() string { return e.do.String() }

// Settled implements [Effect].
func (e restart) Settled(ctx context.Context, h *host.Host) error { return e.do.Settled(ctx, h) }

// Do implements [Effect].
func (e restart) Do(ctx context.Context, w Hands) error {
	if err := e.stop(ctx, w); err != nil {
		if ctx.Err() != nil {
			return err
		}
		if err := w.Service(ctx, e.do.Unit, Kill); err != nil {
			return err
		}
		// Killed, it counts as failed, which only matters to its limit of
		// starts; a unit that does not is no error.
		_ = w.Service(ctx, e.do.Unit, ResetFailed)
	}
	return w.Service(ctx, e.do.Unit, Start)
}

// errNoGrace is what stopping comes to where no time is given to it.
var errNoGrace = errors.New("it cannot hear that it is to stop")

func (e restart) stop(ctx context.Context, w Hands) error {
	if e.grace == 0 {
		return errNoGrace
	}
	ctx, cancel := context.WithTimeout(ctx, e.grace)
	defer cancel()
	return w.Service(ctx, e.do.Unit, Stop)
}

// PostgresReady asks PostgreSQL whether it answers its superuser.
func PostgresReady(ctx context.Context, h *host.Host) error {
	_, err := h.DB.Query(ctx, "postgres", "SELECT 1")
	return err
}
