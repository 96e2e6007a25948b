package system

import (
	"context"
	"fmt"
	"strings"

	"watchdog/probes"
	"watchdog/probes/host"
)

// timeServices are those that set clocks, by the names of their units.
var timeServices = []string{"systemd-timesyncd", "chrony", "chronyd", "ntpsec", "ntp", "ntpd", "openntpd"}

// timeService tells of who should keep the clock right.
func timeService(ctx context.Context, h *host.Host) probes.Evidence {
	var there []string
	for _, name := range timeServices {
		u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit(name))
		if err == nil && u.State != host.Absent {
			there = append(there, fmt.Sprintf("%s is %s", u.Name, u.State))
		}
	}
	got := "none is installed"
	if len(there) > 0 {
		got = strings.Join(there, ", ")
	}
	if synchronised(ctx, h) {
		got += "; the clock counts as synchronised"
	} else {
		got += "; nothing has synchronised the clock"
	}
	return probes.Evidence{Source: "time service", Want: "one that runs and has synchronised the clock", Got: got, Command: "timedatectl"}
}

// synchronised reports whether the kernel takes the clock for set by a time
// service.
func synchronised(ctx context.Context, h *host.Host) bool {
	out, err := h.Exec.Run(ctx, "timedatectl", "show")
	return err == nil && strings.Contains("\n"+string(out), "\nNTPSynchronized=yes\n")
}
