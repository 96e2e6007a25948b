// Package self holds the probes by which the program watches itself: whether it
// hears of events, whether it can write down what it does, and whether a run of
// it left something half done.
//
//	p := self.State{Dir: host.StateDir}
//	found, err := p.Observe(ctx, h)
//
// What only the daemon knows it tells by [host.Host.Vitals].
package self

import (
	"context"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

const (
	fast    = 5 * time.Second
	slow    = 30 * time.Second
	timeout = 3 * time.Second
)

// EventsLost says that a source of events is lost.
const EventsLost probes.Code = "self.events-lost"

// Events is the probe self.events.
type Events struct{}

// Spec implements [probes.Probe].
func (p Events) Spec() probes.Spec {
	return probes.Spec{
		ID:      "self.events",
		Summary: "whether the daemon hears of units, files, addresses and the firewall",
		Codes:   []probes.Code{EventsLost},
		Every:   fast,
		Timeout: timeout,
	}
}

// Observe implements [probes.Probe]. Where no daemon runs there is nothing to
// hear, and nothing is wrong.
func (p Events) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil || h.Vitals == nil {
		return nil, err
	}
	var found []probes.Finding
	for kind, why := range h.Vitals().Lost {
		found = append(found, probes.Finding{
			Code: EventsLost, Subject: kind, Summary: "watchdog hears nothing of " + heard(kind) + "; it looks at times instead",
			Evidence: []probes.Evidence{{
				Source: "source " + kind, Want: "every event told at once", Got: probes.Clip(why),
				Command: "journalctl -u watchdog-engine.service -g 'source of events'",
			}},
		})
	}
	slices.SortFunc(found, func(a, b probes.Finding) int {
		if a.Subject < b.Subject {
			return -1
		}
		return 1
	})
	return found, nil
}

// heard says for people what a source tells of.
func heard(kind string) string {
	switch kind {
	case string(probes.WakeUnit):
		return "services that end"
	case string(probes.WakeFile):
		return "files that change"
	case string(probes.WakeAddress):
		return "addresses and routes that change"
	case string(probes.WakeFirewall):
		return "changes of the packet filter"
	}
	return kind
}
