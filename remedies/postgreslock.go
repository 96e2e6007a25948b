package remedies

import (
	"context"
	"fmt"
	"time"

	"watchdog/probes/host"
)

// SchemaLock ends the sessions that a start of Keycloak waits for. What they had
// not committed is lost: so a person looks first whose they are. The start goes
// on by itself.
type SchemaLock struct{ Database string }

// Spec implements [Remedy].
func (r SchemaLock) Spec() Spec {
	return Spec{ID: "keycloak.schema-lock", Summary: "end the session that holds Keycloak's schema lock", Risk: Outage, Timeout: 30 * time.Second}
}

// Plan implements [Remedy].
func (r SchemaLock) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	holders, err := h.SchemaLockHolders(ctx, r.Database)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Remedy: r.Spec().ID}
	for _, s := range holders {
		p.Steps = append(p.Steps, endSession{s})
	}
	return p, nil
}

// endSession is the step that ends one session of PostgreSQL, and no other that
// has got its number since.
type endSession struct{ host.Session }

func (s endSession) String() string {
	return fmt.Sprintf("end session %s of PostgreSQL (%s, %s)", s.PID, s.Who, s.What)
}

const theSession = `FROM pg_stat_activity WHERE pid = $1::int AND backend_start = $2::timestamptz`

// Done implements [Step].
func (s endSession) Done(ctx context.Context, h *host.Host) (bool, error) {
	rows, err := h.DB.Query(ctx, "postgres", `SELECT pid::text `+theSession, s.PID, s.Since)
	if err != nil {
		return false, fmt.Errorf("look for session %s of PostgreSQL: %w", s.PID, err)
	}
	return len(rows) == 0, nil
}

// Do implements [Step].
func (s endSession) Do(ctx context.Context, w Hands, _ *host.Host) error {
	return w.Exec(ctx, "postgres", `SELECT pg_terminate_backend(pid) `+theSession, s.PID, s.Since)
}
