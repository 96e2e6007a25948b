package main

import (
	"context"
	"time"

	"watchdog/exporters/control"
	"watchdog/probes/host"
)

// vitalsTime bounds asking the daemon how it is.
const vitalsTime = time.Second

// askDaemon asks a daemon that runs how it is, for the verbs that look beside it.
// Where none answers nothing is known, and nothing wrong: diagnose works without.
func askDaemon() host.Vitals {
	ctx, cancel := context.WithTimeout(context.Background(), vitalsTime)
	defer cancel()
	c := control.NewClient(control.Socket)
	defer c.Close()
	var v host.Vitals
	if err := c.Vitals(ctx, &v); err != nil {
		return host.Vitals{}
	}
	return v
}
