package engine

import (
	"context"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// An event is something that happened on the host, or the loss of a source.
type event struct {
	wake probes.Wake
	lost error
}

// listenAgain is how long a lost source of events is left alone. Polling goes on
// meanwhile.
const listenAgain = 10 * time.Second

// listen starts every source that some probe wants to be woken by.
func (e *Engine) listen(ctx context.Context) {
	names := map[probes.WakeKind][]string{}
	for _, p := range e.Probes {
		s := p.Spec()
		for _, w := range s.Wakes {
			switch w.Kind { // probes know services and places, the sources units and paths
			case probes.WakeUnit:
				w.Name = e.Host.Facts.Layout.Unit(w.Name)
			case probes.WakeFile:
				w.Name = e.Host.Facts.Layout.File(w.Name)
			}
			e.wakes[w] = append(e.wakes[w], s.ID)
			if !slices.Contains(names[w.Kind], w.Name) {
				names[w.Kind] = append(names[w.Kind], w.Name)
			}
		}
	}
	for kind, source := range e.Sources {
		if k := probes.WakeKind(kind); len(names[k]) > 0 {
			go e.hear(ctx, k, source, names[k])
		}
	}
}

// hear keeps one source going, and says when it is lost.
func (e *Engine) hear(ctx context.Context, kind probes.WakeKind, source host.Source, names []string) {
	send := func(ev event) {
		select {
		case e.events <- ev:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		err := source(ctx, names, func(name string) { send(event{wake: probes.Wake{Kind: kind, Name: name}}) })
		if ctx.Err() != nil {
			return
		}
		send(event{wake: probes.Wake{Kind: kind}, lost: err})
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// aftermath is how long after an event a probe looks once more: a file is
// edited first and the service told to read it after.
const aftermath = time.Second

// happened makes the probes that an event concerns look at once. Bursts cost
// one look: a probe that is looking looks once more after.
func (e *Engine) happened(ev event) {
	if ev.lost != nil {
		e.Log.Warn("a source of events is lost, polling goes on", "kind", string(ev.wake.Kind), "err", ev.lost.Error())
		return
	}
	now := e.Host.Now()
	for _, id := range e.wakes[ev.wake] {
		e.schedule.hasten(id, now)
		e.schedule.after(id, now.Add(aftermath))
	}
}
