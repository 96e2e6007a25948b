package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/ledger"
)

// A world is a made-up host: faults that are there or not, and remedies that
// remove them or do not.
type world struct {
	mu     sync.Mutex
	faults map[rules.Ref]bool
	heals  map[string][]rules.Ref // remedy → the faults it removes
	undone int
	ran    []string
	hung   map[string]bool // probes that never answer
	looks  map[string]int
	awaits string        // what the faults await
	late   time.Duration // how long it takes a probe to see a fault
	// journal is the engine's.
	journal ledger.Journal
}

func (w *world) set(there bool, refs ...rules.Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range refs {
		w.faults[r] = there
	}
}

// change changes what the engine's goroutines read too.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.ran...)
}

// look is a probe for one code.
type look struct {
	w     *world
	code  probes.Code
	every time.Duration
}

func (l look) Spec() probes.Spec {
	return probes.Spec{
		ID: "probe." + string(l.code), Codes: []probes.Code{l.code}, Every: l.every, Timeout: 3 * time.Second,
		Calm: l.code == rules.DriftCode,
	}
}

func (l look) Observe(ctx context.Context, _ *host.Host) ([]probes.Finding, error) {
	l.w.mu.Lock()
	hung, late := l.w.hung[l.Spec().ID], l.w.late
	l.w.looks[l.Spec().ID]++
	var out []probes.Finding
	for f, there := range l.w.faults {
		if there && f.Code == l.code {
			out = append(out, probes.Finding{Code: f.Code, Subject: f.Subject, Awaits: l.w.awaits})
		}
	}
	l.w.mu.Unlock()
	if hung {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if len(out) > 0 {
		time.Sleep(late)
	}
	return out, nil
}

// cure is a remedy with one edit, which removes faults and can be undone.
type cure struct {
	w  *world
	id string
}

func (c cure) Spec() remedies.Spec { return remedies.Spec{ID: c.id, Timeout: time.Minute} }

func (c cure) Plan(context.Context, *host.Host) (remedies.Plan, error) {
	if c.id == "nothing" {
		return remedies.Plan{}, nil
	}
	return remedies.Plan{Edits: []remedies.Edit{edit(c)}}, nil
}

type edit struct {
	w  *world
	id string
}

func (e edit) String() string { return "cure by " + e.id }
func (e edit) Diff() string   { return "" }

func (e edit) Do(context.Context, remedies.Hands) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.w.ran = append(e.w.ran, e.id)
	if e.id == "broken" {
		return errors.New("no space left")
	}
	for _, f := range e.w.heals[e.id] {
		e.w.faults[f] = false
	}
	return nil
}

func (e edit) Undo(context.Context, remedies.Hands) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.w.undone++
	return nil
}

// rig runs an engine over the world for the length of the test.
type rig struct {
	*world
	mu     sync.Mutex
	newest Snapshot
	locked bool
	stop   func()
}

func (r *rig) snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}

func start(t *testing.T, table []rules.Rule, hold *string, more ...func(*world) []probes.Probe) *rig {
	t.Helper()
	return startWith(t, table, hold, func(*Options) {}, more...)
}

// startWith is start with options of the test's own.
func startWith(t *testing.T, table []rules.Rule, hold *string, set func(*Options), more ...func(*world) []probes.Probe) *rig {
	t.Helper()
	r := &rig{world: &world{faults: map[rules.Ref]bool{}, heals: map[string][]rules.Ref{}, hung: map[string]bool{}, looks: map[string]int{}, journal: ledger.Journal{Dir: t.TempDir()}}}
	var ps []probes.Probe
	byID := map[string]remedies.Remedy{}
	var all []remedies.Remedy
	for i, rule := range table {
		ps = append(ps, look{r.world, rule.Code, []time.Duration{5, 10}[i%2] * time.Second})
		for _, id := range rule.Remedies {
			if byID[id] == nil {
				byID[id] = cure{r.world, id}
				all = append(all, byID[id])
			}
		}
	}
	for _, m := range more {
		ps = append(ps, m(r.world)...)
	}
	o := Options{
		Host: &host.Host{Now: time.Now}, HostName: "idp", Probes: ps, Book: rules.NewBook(table, ps, all),
		Remedy:  func(id string) remedies.Remedy { return byID[id] },
		Journal: r.journal,
		Policy: func() rules.Policy {
			r.world.mu.Lock()
			defer r.world.mu.Unlock()
			return rules.Policy{Hold: *hold}
		},
		Lock: func() (func(), error) {
			r.world.mu.Lock()
			defer r.world.mu.Unlock()
			if r.locked {
				return nil, errors.New("locked")
			}
			return func() {}, nil
		},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
		Notify: func(string) {},
		Published: func(s Snapshot) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.newest = s
		},
	}
	set(&o)
	e := New(o, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return r
}

// slow is a probe whose look takes its time when there is a fault, and answers
// what it saw at its beginning.
type slow struct {
	look
	name string
}

func (l slow) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	out, err := l.look.Observe(ctx, h)
	if len(out) > 0 {
		time.Sleep(700 * time.Millisecond)
	}
	return out, err
}

func (l slow) Spec() probes.Spec {
	s := l.look.Spec()
	s.ID += l.name
	return s
}

// cureHash is the hash of a cure's plan.
func cureHash(id string) string {
	p, _ := cure{id: id}.Plan(context.Background(), nil)
	return p.Hash()
}
