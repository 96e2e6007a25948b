package postgres

import (
	"context"
	"strings"

	"watchdog/probes/host"
)

// runsAt tells where a server of that port listens other than by path, so that
// one path being closed is not taken for a server that is down. It is empty
// when there is none.
func runsAt(ctx context.Context, h *host.Host, port int, path Path) (string, error) {
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range listeners {
		// The program's name can be seen by root only.
		if int(l.Addr.Port()) == port && (l.Program == "" || strings.HasPrefix(l.Program, "postgres")) {
			return l.Addr.String(), nil
		}
	}
	if path == Socket {
		return "", nil
	}
	conn, err := Socket.dial(ctx, h, port)
	switch {
	case err == nil:
		_, address := Socket.address(h, port)
		return address, conn.Close()
	case refused(err):
		return "", nil
	}
	return "", err
}
