package systemd

import (
	"strings"
	"testing"
)

// TestUnits: every unit is there under its name, and says what it has to.
func TestUnits(t *testing.T) {
	for name, lines := range map[string][]string{
		Engine:        {"Type=notify", "WatchdogSec=30", "ExecStart=/usr/bin/watchdog run", "Restart=always", "OOMScoreAdjust=-900"},
		Export:        {"ExecStart=/usr/bin/watchdog export", "User=" + ExportUser, "SupplementaryGroups=" + Group, "NoNewPrivileges=yes"},
		BackupService: {"Type=oneshot", "ExecStart=/usr/bin/watchdog backup create"},
		BackupTimer:   {"Persistent=true", "WantedBy=timers.target"},
	} {
		for _, line := range lines {
			if !strings.Contains("\n"+Unit(name), "\n"+line+"\n") {
				t.Errorf("%s lacks %s", name, line)
			}
		}
	}
}
