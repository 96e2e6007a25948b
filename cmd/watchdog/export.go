package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"watchdog/exporters/control"
	"watchdog/exporters/metrics"
)

func exportCommand() *cobra.Command {
	var (
		site   siteFlags
		listen string
	)
	c := &cobra.Command{
		Use:   "export",
		Short: "Serve /metrics from what the engine knows (the unprivileged service)",
		Long: `Serve /metrics for Prometheus from what the engine knows, read from its socket.
It needs no root: being in the group watchdog is enough. It listens on the
loopback; another address is refused.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			stack, err := loadSite(site.path, site.self)
			if err != nil {
				return err
			}
			if listen == "" {
				listen = stack.Exporters.Listen
			}
			return export(c.Context(), listen)
		},
	}
	site.add(c)
	c.Flags().StringVar(&listen, "listen", "", "`address` to listen on (default: the site file's, [::1]:9465)")
	return c
}

// export serves until ctx ends.
func export(ctx context.Context, listen string) error {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return usageError{fmt.Errorf("listen on %q: want ADDRESS:PORT, as [::1]:9465", listen)}
	}
	if !addr.Addr().IsLoopback() {
		return usageError{fmt.Errorf("listen on %s: without authentication only a loopback address is served", addr)}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(control.NewClient(control.Socket).Snapshot))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	notify("READY=1")
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
