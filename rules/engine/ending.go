package engine

import (
	"slices"

	"watchdog/rules"
)

// ending lists what a cause explains and what goes with it.
func (e *Engine) ending(d rules.Diagnosis) []rules.Ref {
	var out []rules.Ref
	for _, other := range e.core.Diagnoses {
		if slices.Contains(d.Explains, other.Fault) && !slices.Contains(other.Outlasts, d.Fault) {
			out = append(out, other.Fault)
		}
	}
	return out
}

// askers lists the probes that found the cause or what ends with it.
func (e *Engine) askers(d rules.Diagnosis, ending []rules.Ref) []string {
	out := slices.Clone(d.Probes)
	for _, other := range e.core.Diagnoses {
		if !slices.Contains(ending, other.Fault) {
			continue
		}
		for _, p := range other.Probes {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
