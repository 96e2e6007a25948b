package firewall

import (
	"context"
	"net/netip"
	"strings"

	"watchdog/probes/host"
)

// usualSSH is sshd's port unless it says otherwise.
const usualSSH = 22

// sshPorts lists the ports that may be open for administration where the site
// names nobody for it: sshd's usual one, those of its configuration, and those
// that a running one listens on. Not being able to ask is no reason to call a
// port open that people come in by.
func sshPorts(ctx context.Context, h *host.Host) ([]uint16, error) {
	ports := []uint16{usualSSH}
	out, err := h.Exec.Run(ctx, "sshd", "-T")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err == nil {
		for line := range strings.Lines(string(out)) {
			address, _ := strings.CutPrefix(strings.TrimSpace(line), "listenaddress ")
			if at, err := netip.ParseAddrPort(address); err == nil {
				ports = append(ports, at.Port())
			}
		}
	}
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range listeners {
		if l.Program == "sshd" {
			ports = append(ports, l.Addr.Port())
		}
	}
	return ports, nil
}
