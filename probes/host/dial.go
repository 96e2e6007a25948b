package host

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// CheckDial reports why network and address can't be dialled: the family must
// be one of [Net]'s and the address a literal of that family. Names are never
// resolved here, or a probe would not know which address answered it, and an
// IPv4 address in IPv6 clothes is refused: it would leave by IPv4.
func CheckDial(network, address string) error {
	if network == "unix" {
		if !strings.HasPrefix(address, "/") {
			return fmt.Errorf("dial unix %q: want an absolute path", address)
		}
		return nil
	}
	want, ok := map[string]string{"tcp6": "IPv6", "udp6": "IPv6", "tcp4": "IPv4", "udp4": "IPv4"}[network]
	if !ok {
		return fmt.Errorf("dial %s: network %q is not one of tcp6, tcp4, udp6, udp4, unix", address, network)
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || a.Addr().Is4In6() || a.Addr().Is4() != (want == "IPv4") {
		return fmt.Errorf("dial %s %q: want a literal %s address with port", network, address, want)
	}
	return nil
}

// Dial implements [Net].
func (*network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := CheckDial(network, address); err != nil {
		return nil, err
	}
	// No keep-alive probes: connections are short or checked by use.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	return d.DialContext(ctx, network, address)
}
