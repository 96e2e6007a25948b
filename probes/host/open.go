package host

import (
	"context"
	"fmt"
	"time"
)

// Open returns the machine this program runs on. Connections to the service
// manager and the database are made when they are first needed; [Host.Close]
// ends them.
func Open(ctx context.Context) (*Host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fsys := newFiles()
	facts, err := ReadFacts(fsys)
	if err != nil {
		return nil, err
	}
	links := &network{}
	h := &Host{FS: fsys, Net: links, Link: links, Exec: commands{}, Now: time.Now, Facts: facts}
	db := &database{dial: dialPostgres(fsys)}
	h.DB = db
	h.closers = append(h.closers, db.close)
	switch facts.Init {
	case Systemd:
		s := &systemd{open: openBus, gate: make(chan struct{}, 1)}
		h.Init = s
		h.closers = append(h.closers, s.close)
	default:
		h.Init = noInit{}
	}
	return h, nil
}

// Close ends what the host holds open. It may be used again all the same.
func (h *Host) Close() {
	for _, c := range h.closers {
		c()
	}
	h.web.Lock()
	defer h.web.Unlock()
	for _, c := range h.clients {
		c.CloseIdleConnections()
	}
}

// noInit stands for a service manager that has no driver or does not run.
type noInit struct{}

func (noInit) Unit(_ context.Context, name string) (Unit, error) {
	return Unit{}, fmt.Errorf("look at unit %s: no service manager that this program knows runs here (systemd)", name)
}
