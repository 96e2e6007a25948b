package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"watchdog/rules/scenarios"
)

// A picture is what a drill must leave as it was: who runs since when, and every
// file below /etc.
type picture struct {
	services map[string]string // service → systemd's invocation
	files    map[string]string // path → mode, owner, target, hash
}

// watched are the services whose restart would be noticed, by the service names
// of the book.
var watched = map[string]string{
	"postgresql":        "postgresql@15-main.service",
	"keycloak":          "keycloak.service",
	"nginx":             "nginx.service",
	"watchdog-firewall": "watchdog-firewall.service",
	engineService:       engineUnit,
	"watchdog-export":   "watchdog-export.service",
}

// listing prints one line per file: what it is, whose, and what is in it.
const listing = `cd /etc && find . -xdev \( -type d -o -type l -o -type f \) -printf '%p|%y %m %u:%g %l\n' &&
find . -xdev -type f -exec sha256sum {} + | sed 's/^\([0-9a-f]*\)  \(.*\)/\2#|\1/'`

func (r *Runner) picture(ctx context.Context, host string) (picture, error) {
	p := picture{services: map[string]string{}, files: map[string]string{}}
	for service, unit := range watched {
		out, err := r.sh(ctx, host, "systemctl show -P InvocationID "+unit)
		if err != nil {
			return p, fmt.Errorf("look at %s: %w", unit, err)
		}
		p.services[service] = strings.TrimSpace(string(out))
	}
	out, err := r.sh(ctx, host, listing)
	if err != nil {
		return p, fmt.Errorf("list /etc: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if path, what, ok := strings.Cut(strings.TrimSpace(line), "|"); ok {
			p.files[path] = what
		}
	}
	return p, nil
}

// compare books every difference that the row does not allow.
func (p picture) compare(after picture, s scenarios.Scenario, score *Score) {
	for service, was := range p.services {
		allowed := slices.Contains(s.Restarts, service) || service == engineService && s.EngineRestarts
		if after.services[service] != was && !allowed {
			score.Collateral = append(score.Collateral, service)
			score.wrong("%s was restarted", service)
		}
	}
	for path, was := range p.files {
		if is, ok := after.files[path]; !ok || is != was {
			score.Changed = append(score.Changed, "/etc/"+strings.TrimPrefix(path, "./"))
		}
	}
	for path := range after.files {
		if _, ok := p.files[path]; !ok {
			score.Changed = append(score.Changed, "/etc/"+strings.TrimPrefix(path, "./"))
		}
	}
	score.Changed = slices.DeleteFunc(score.Changed, func(file string) bool {
		return slices.ContainsFunc(s.Changes, func(dir string) bool { return strings.HasPrefix(file, dir) })
	})
	slices.Sort(score.Changed)
	if len(score.Changed) > 0 {
		score.wrong("not as before: %s", strings.Join(score.Changed, ", "))
	}
}
