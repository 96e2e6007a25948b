package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The codes of [Service].
const (
	ServiceDead       probes.Code = "service.dead"
	ServiceStopped    probes.Code = "service.stopped"
	ServiceMasked     probes.Code = "service.masked"
	ServiceStartLimit probes.Code = "service.start-limit-hit"
	ServiceDisabled   probes.Code = "service.disabled"
	ServiceMissing    probes.Code = "service.missing"
	ServiceStuck      probes.Code = "service.stuck"
)

// startLimit is systemd's word for a unit that failed too often in a row.
const startLimit = "start-limit-hit"

// Service is the probe service.NAME.
type Service struct {
	Name string // of the service, not of its unit: "postgresql"
	// Boot says that it has to start at boot.
	Boot bool
	// Patience is how long starting or stopping may take; zero means that it is
	// never a fault, as for timers, which do neither.
	Patience time.Duration
}

// Spec implements [probes.Probe]. The unit behind the service's name is the
// host's affair, so the wake names the service.
func (p Service) Spec() probes.Spec {
	codes := []probes.Code{ServiceDead, ServiceStopped, ServiceMasked, ServiceStartLimit, ServiceDisabled, ServiceMissing}
	if p.Patience > 0 {
		codes = append(codes, ServiceStuck)
	}
	return probes.Spec{
		ID:      "service." + p.Name,
		Summary: "what the service manager says of " + p.Name,
		Codes:   codes,
		Every:   fast,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: p.Name}},
	}
}

// Observe implements [probes.Probe].
func (p Service) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit(p.Name))
	if err != nil {
		return nil, err
	}
	if u.State == host.Failed && u.Result != startLimit && gaveUp(ctx, h, u.Name) {
		u.Detail, u.Result = strings.TrimPrefix(u.Detail+", start request repeated too quickly", ", "), startLimit
	}
	var found []probes.Finding
	if code, summary := p.state(u, h.Now()); code != "" {
		found = append(found, p.finding(code, summary, "running", u))
	}
	// What is masked or missing can't be enabled either: that is said already.
	if p.Boot && !u.Enabled && u.State != host.Masked && u.State != host.Absent {
		found = append(found, p.finding(ServiceDisabled, p.Name+" does not start at boot", "enabled", u))
	}
	return found, nil
}

// gaveUp reports whether the manager's last word on a unit that failed is that it
// does not start it again: of starts by hand in a row nothing but its journal
// tells (systemd 252 keeps the result of the failure before). One that can't be
// read says nothing.
func gaveUp(ctx context.Context, h *host.Host, unit string) bool {
	journal, err := h.Exec.Run(ctx, "journalctl", "-u", unit, "-o", "json", "-n", "20", "--output-fields", "MESSAGE,_PID", "--no-pager")
	if err != nil {
		return false
	}
	refused := false
	for line := range bytes.Lines(journal) {
		var e struct {
			Message string `json:"MESSAGE"`
			PID     string `json:"_PID"`
		}
		// What the service itself wrote may be no text; the manager's is.
		if json.Unmarshal(line, &e) != nil || e.PID != "1" {
			continue
		}
		switch {
		case strings.HasSuffix(e.Message, "Start request repeated too quickly."):
			refused = true
		case strings.HasPrefix(e.Message, "Starting "), strings.HasPrefix(e.Message, "Started "):
			refused = false
		}
	}
	return refused
}

// state judges what the unit is doing.
func (p Service) state(u host.Unit, now time.Time) (code probes.Code, summary string) {
	switch u.State {
	case host.Absent:
		return ServiceMissing, "there is no unit for " + p.Name
	case host.Masked:
		return ServiceMasked, p.Name + " is masked: it can't be started"
	case host.Running:
		return "", ""
	}
	switch {
	case u.Result == startLimit:
		return ServiceStartLimit, p.Name + " failed so often that the service manager gave up"
	// Between two starts of its own a unit with Restart= is on its way, but
	// what it was has ended by itself.
	case u.State == host.Failed || u.Result != "" && u.State != host.Stopping:
		return ServiceDead, p.Name + " ended by itself"
	case u.State == host.Stopped:
		return ServiceStopped, p.Name + " is stopped"
	}
	if p.Patience == 0 || u.Since.IsZero() || now.Sub(u.Since) <= p.Patience {
		return "", ""
	}
	return ServiceStuck, fmt.Sprintf("%s has been %s for more than %s", p.Name, u.State, p.Patience)
}

func (p Service) finding(code probes.Code, summary, want string, u host.Unit) probes.Finding {
	got := u.Detail
	if got == "" {
		got = string(u.State)
		if u.Result != "" {
			got += ", result " + u.Result
		}
		if !u.Enabled {
			got += ", not enabled"
		}
	}
	return probes.Finding{Code: code, Subject: p.Name, Summary: summary, Evidence: []probes.Evidence{
		{Source: u.Name, Want: want, Got: probes.Clip(got), Command: "systemctl status " + u.Name},
	}}
}
