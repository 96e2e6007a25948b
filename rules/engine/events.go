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

// A lost source of events is tried again after listenAgain, and twice as late
// each time up to listenMost, if it did not last that long. Polling goes on
// meanwhile.
const (
	listenAgain = time.Second
	listenMost  = 30 * time.Second
)

// listen starts every source that some probe wants to be woken by.
func (e *Engine) listen(ctx context.Context) {
	names := map[probes.WakeKind][]string{}
	for _, p := range e.Probes {
		s := p.Spec()
		for _, w := range s.Wakes {
			if w.Name == probes.Any {
				e.wakes[w] = append(e.wakes[w], s.ID)
				continue
			}
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
	wait := listenAgain
	for ctx.Err() == nil {
		began := time.Now()
		err := source(ctx, names, func(name string) {
			e.vitals.lose(string(kind), "")
			send(event{wake: probes.Wake{Kind: kind, Name: name}})
		})
		if ctx.Err() != nil {
			return
		}
		e.vitals.lose(string(kind), err.Error())
		send(event{wake: probes.Wake{Kind: kind}, lost: err})
		if time.Since(began) > listenMost {
			wait = listenAgain
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, listenMost)
		}
	}
}

// aftermath is how long after an event a probe looks once more: a file is
// edited first and the service told to read it after.
const aftermath = time.Second

// eventsProbe is the probe that tells of lost sources.
const eventsProbe = "self.events"

// happened makes the probes that an event concerns look at once. Bursts cost
// one look: a probe that is looking looks once more after.
func (e *Engine) happened(ev event) {
	if ev.lost != nil {
		e.schedule.hasten(eventsProbe, e.Host.Now())
		e.Log.Warn("a source of events is lost, polling goes on", "kind", string(ev.wake.Kind), "err", ev.lost.Error())
		return
	}
	now := e.Host.Now()
	for _, name := range []string{ev.wake.Name, probes.Any} {
		for _, id := range e.wakes[probes.Wake{Kind: ev.wake.Kind, Name: name}] {
			e.schedule.hasten(id, now)
			e.schedule.after(id, now.Add(aftermath))
		}
	}
}
