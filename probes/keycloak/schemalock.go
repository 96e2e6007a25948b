package keycloak

import (
	"context"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A SchemaLock looks whether a start of Keycloak waits for somebody who holds
// the row that it locks before it looks after its tables: it waits without a word
// in its log, and looks like a start that takes long. (The flag
// "locked" in that row is no lock: Keycloak 26 does not heed it.)
type SchemaLock struct {
	Database string
}

// Spec implements [probes.Probe].
func (s SchemaLock) Spec() probes.Spec {
	return probes.Spec{
		ID:      "keycloak.schema-lock",
		Summary: "nobody holds the lock that a start of Keycloak waits for",
		Codes:   []probes.Code{SchemaLocked},
		Every:   10 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "keycloak"}},
	}
}

// Observe implements [probes.Probe].
func (s SchemaLock) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	holders, err := h.SchemaLockHolders(within, s.Database)
	if err != nil || len(holders) == 0 {
		return nil, err
	}
	f := probes.Finding{Code: SchemaLocked, Subject: s.Database, Summary: "Keycloak's start waits for a session that holds its schema lock"}
	for i, o := range holders {
		if i == maxHolders {
			break
		}
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: "pg_blocking_pids", Want: "nobody in the way of Keycloak's start",
			Got:     probes.Clip("process " + o.PID + ", " + o.Who + ", " + o.What),
			Command: "sudo -u postgres psql -x -c 'select * from pg_stat_activity where pid = " + o.PID + "'",
		})
	}
	return []probes.Finding{f}, nil
}

// maxHolders is how many are told of.
const maxHolders = 3
