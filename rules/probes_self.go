package rules

import (
	"path"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/self"
)

// selfProbes look at the program itself.
func selfProbes() []probes.Probe {
	return []probes.Probe{
		self.Events{},
		self.State{Dir: host.StateDir},
		self.Journal{Dir: path.Join(host.StateDir, "journal")},
	}
}
