package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"watchdog/rules/engine"
)

const (
	engineUnit    = "watchdog-engine.service"
	engineService = "watchdog-engine"
)

// status asks the engine. One that has just ended is given time to be started
// again; when it does not come back, the error says what became of it.
func (r *Runner) status(ctx context.Context, host string) (engine.Snapshot, error) {
	var snap engine.Snapshot
	start := time.Now()
	for {
		out, err := r.sh(ctx, host, "watchdog status --json")
		if len(out) > 0 {
			if err := json.Unmarshal(out, &snap); err != nil {
				return snap, fmt.Errorf("read status --json: %w", err)
			}
			return snap, nil
		}
		if time.Since(start) > comeback || !pause(ctx) {
			return snap, fmt.Errorf("the engine on %s does not answer: %w; %s", host, err, r.lastWords(context.WithoutCancel(ctx), host, start.Add(-recent)))
		}
	}
}

// comeback is how long an engine that does not answer is waited for.
const comeback = 20 * time.Second

// recent is how far back the end of an engine that does not answer is looked for.
const recent = 30 * time.Second

// lastWords is what the service manager says of the engine's end.
func (r *Runner) lastWords(ctx context.Context, host string, since time.Time) string {
	out, err := r.sh(ctx, host, fmt.Sprintf(`systemctl show -p ActiveState -p Result -p NRestarts %s | paste -sd ' '
journalctl -u %s --since @%d -o cat --no-pager | grep -E 'Main process|timeout|result|panic|fatal' | tail -n 4`, engineUnit, engineUnit, since.Unix()))
	if err != nil && len(out) == 0 {
		return err.Error()
	}
	return strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), "; ")
}

// clock is the host's time, by the clock that stamps what the engine does, just
// before the commands of then.
func (r *Runner) clock(ctx context.Context, host string, then ...string) (time.Time, error) {
	out, err := r.sh(ctx, host, strings.Join(append([]string{"date +%s%N"}, then...), " && "))
	if err != nil {
		return time.Time{}, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock of %s: %w", host, err)
	}
	return time.Unix(0, ns), nil
}

// sh runs a script in a host as root, and returns what it printed. A non-zero
// exit is an error that carries the end of what it said.
func (r *Runner) sh(ctx context.Context, host, script string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, errs bytes.Buffer
	code, err := r.Lab.Exec(ctx, host, []string{"sh", "-c", script}, nil, &out, &errs)
	if err == nil && code != 0 {
		said := strings.TrimSpace(errs.String())
		err = fmt.Errorf("exit code %d: %s", code, said[max(0, len(said)-300):])
	}
	return out.Bytes(), err
}
