package self

import (
	"context"
	"path"

	"watchdog/probes"
	"watchdog/probes/host"
)

// StateUnwritable says that the program can't remember, or has forgotten.
const StateUnwritable probes.Code = "self.state-unwritable"

// State is the probe self.state.
type State struct {
	// Dir is the state directory; the ledger is in it.
	Dir string
}

// Spec implements [probes.Probe].
func (p State) Spec() probes.Spec {
	return probes.Spec{
		ID:      "self.state",
		Summary: "whether watchdog can write down what it does",
		Codes:   []probes.Code{StateUnwritable},
		Every:   fast,
		Timeout: timeout,
	}
}

// Observe implements [probes.Probe]. Nothing is written to find out.
func (p State) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	why, err := host.StateUnwritable(h.FS, p.Dir)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return []probes.Finding{{
			Code: StateUnwritable, Subject: p.Dir, Summary: "watchdog cannot write down what it does: of " + p.Dir + ", " + why,
			Evidence: []probes.Evidence{{
				Source: p.Dir, Want: "a directory of root's, 0700, with 1 MiB and some inodes free", Got: probes.Clip(why),
				Command: "ls -ld " + p.Dir + "; findmnt -T " + p.Dir + "; df " + p.Dir + "; df -i " + p.Dir,
			}},
		}}, nil
	}
	if h.Vitals == nil {
		return nil, nil
	}
	why = h.Vitals().Ledger
	if why == "" {
		return nil, nil
	}
	ledger := path.Join(p.Dir, "ledger")
	return []probes.Finding{{
		Code: StateUnwritable, Subject: ledger, Summary: probes.Clip("watchdog's memory of what it tried: " + why),
		Evidence: []probes.Evidence{{
			Source: ledger, Want: "attempts and incidents written down", Got: probes.Clip(why), Command: "ls -l " + ledger + "*",
		}},
	}}, nil
}
