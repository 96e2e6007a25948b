package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"

	"watchdog/probes"
	"watchdog/probes/format/gaiconf"
	"watchdog/probes/host"
)

// GAIIPv4First says that getaddrinfo may put IPv4 before IPv6.
const GAIIPv4First probes.Code = "host.gai-ipv4-first"

const gaiPath = "/etc/gai.conf"

// GAI is the probe host.gai. On its own the order decides nothing on a host
// without IPv4: it is looked at so that it stays what the site says.
type GAI struct{}

// Spec implements [probes.Probe].
func (p GAI) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.gai",
		Summary: "the precedence of IPv6 over IPv4 in /etc/gai.conf",
		Codes:   []probes.Code{GAIIPv4First},
		Every:   slow,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeFile, Name: gaiPath}},
	}
}

// Observe implements [probes.Probe].
func (p GAI) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := h.FS.ReadFile(gaiPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", gaiPath, err)
	}
	file := gaiconf.Parse(data)
	// Any address of the world's and any IPv4 one: which does not matter.
	v6 := file.Precedence(netip.MustParseAddr("2001:db8::1"))
	v4 := file.Precedence(netip.MustParseAddr("192.0.2.1"))
	summary := ""
	switch {
	case v6.Value <= v4.Value:
		summary = gaiPath + " does not put IPv6 before IPv4"
	case len(file.Entries()) == 0:
		// Then glibc's own table counts, which another libc or the next
		// release need not share.
		summary = gaiPath + " does not say that IPv6 comes before IPv4"
	default:
		return nil, nil
	}
	return []probes.Finding{{
		Code: GAIIPv4First, Summary: summary,
		Evidence: []probes.Evidence{{
			Source: gaiSource(v4.Line, v6.Line), Want: "precedence of ::/0 above that of ::ffff:0:0/96",
			Got: "IPv6 " + gaiValue(v6) + ", IPv4 " + gaiValue(v4), Command: "grep -n ^precedence " + gaiPath,
		}},
	}}, nil
}

// gaiSource points at the line that decides, where there is one.
func gaiSource(lines ...int) string {
	for _, n := range lines {
		if n > 0 {
			return gaiPath + ":" + strconv.Itoa(n)
		}
	}
	return gaiPath
}

func gaiValue(e gaiconf.Entry) string {
	if e.Line == 0 {
		return strconv.Itoa(e.Value) + " (built in)"
	}
	return strconv.Itoa(e.Value)
}
