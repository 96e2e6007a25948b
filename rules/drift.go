package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/self"
	"watchdog/remedies"
)

// DriftCode is the fault of a part of the host that is not as the site file
// says. Its subject is the remedy that would change it.
const DriftCode probes.Code = "drift"

// Drift looks at the host with the remedies' own eyes: a plan that is not empty
// is the finding. So probes need not know the desired state, and install, plan
// and drift can't disagree.
type Drift struct{ Remedies []remedies.Remedy }

// DriftOf looks at all that install would make of this host, but for the program
// itself: one that is being tried out differs from what was installed.
func DriftOf(s Stack) (Drift, error) {
	list, err := Remedies(s)
	if err != nil {
		return Drift{}, err
	}
	return Drift{slices.DeleteFunc(list, func(r remedies.Remedy) bool { return r.Spec().ID == "self" })}, nil
}

// Spec implements [probes.Probe].
func (d Drift) Spec() probes.Spec {
	return probes.Spec{
		ID: "drift", Summary: "what install would change", Codes: []probes.Code{DriftCode},
		Every: 5 * time.Minute, Timeout: 10 * time.Second, Calm: true,
		Wakes: []probes.Wake{{Kind: probes.WakeFile, Name: probes.Any}},
	}
}

// Observe implements [probes.Probe]. A part that can't be planned, or waits for
// another one, is no drift: what is missing beneath it has a fault of its own.
func (d Drift) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	var (
		out  []probes.Finding
		errs []error
	)
	for _, r := range d.Remedies {
		p, err := r.Plan(ctx, h)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("plan %s: %w", r.Spec().ID, err))
		case len(p.Waits) == 0 && !p.Empty() && !p.OnlyWaits():
			out = append(out, driftOf(r.Spec().ID, p))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(errs) == len(d.Remedies) {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

func driftOf(id string, p remedies.Plan) probes.Finding {
	lines := p.Lines()
	more := ""
	if len(lines) > 1 {
		more = fmt.Sprintf(" and %d more", len(lines)-1)
	}
	f := probes.Finding{Code: DriftCode, Subject: id, Summary: "install would " + lines[0] + more}
	for _, l := range lines[:min(len(lines), mostDrift)] {
		f.Evidence = append(f.Evidence, probes.Evidence{Source: "plan of " + id, Want: probes.Clip("nothing to do"), Got: probes.Clip(l), Command: "watchdog plan"})
	}
	return f
}

// mostDrift bounds the evidence of one finding.
const mostDrift = 5

var driftTable = []Rule{{
	Code: DriftCode, Title: "A part of the host is not as the site file says", Severity: Info, Mode: Observe,
	Explain: "What {subject} looks after was changed by hand or by another program, and nothing that users need fails for it. It is " +
		"left alone: somebody may have had a reason. What it endangers has a fault of its own, and that is healed. To have " +
		"it as before, install again; to keep it, put it into the site file.",
	DependsOn: []Ref{{Code: self.LeftUndone, Subject: "{subject}"}},
	Remedies:  []string{"{subject}"}, OfRemedy: true,
	Fix: []string{"watchdog plan    # shows the difference", "watchdog install    # brings it back"},
}}

// healers returns the faults whose ladder holds the remedy of that ID: they
// explain that it has something to do.
func (b Book) healers(id string) []Ref {
	var out []Ref
	for _, r := range b.Rules {
		for _, pattern := range r.Remedies {
			if r.OfRemedy {
				continue
			}
			if subject, ok := filled(pattern, id); ok {
				out = append(out, On(r.Code, subject))
			}
		}
	}
	slices.SortFunc(out, compareRefs)
	return slices.Compact(out)
}

// filled reports whether id is the pattern with some subject in it, and which;
// a pattern without one stands for every subject.
func filled(pattern, id string) (subject string, ok bool) {
	before, after, holds := strings.Cut(pattern, "{subject}")
	if !holds {
		return "", pattern == id
	}
	subject, ok = strings.CutPrefix(id, before)
	if !ok {
		return "", false
	}
	subject, ok = strings.CutSuffix(subject, after)
	return subject, ok && subject != ""
}
