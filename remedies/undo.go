package remedies

import (
	"context"
	"path"

	"watchdog/probes/host"
)

// services are units as they were before a plan's first effect, by name. Of a
// unit that is not in it nothing is known.
type services map[string]host.Unit

// look asks for the units that the effects are going to change. What can't be
// seen is left out.
func look(ctx context.Context, h *host.Host, effects []Effect) services {
	was := services{}
	for _, e := range effects {
		d, ok := e.(Do)
		if !ok || d.Unit == "" {
			continue
		}
		if u, err := h.Init.Unit(ctx, d.Unit); err == nil {
			was[d.Unit] = u
		}
	}
	return was
}

// made are the units whose files the plan creates: for [Plan.Revert], which
// comes when nobody knows any more what ran before. Those did not.
func (p Plan) made() services {
	was := services{}
	for _, e := range p.Edits {
		if w, ok := e.(Write); ok && w.Old == nil {
			unit := path.Base(w.Path)
			was[unit] = host.Unit{Name: unit, State: host.Absent}
		}
	}
	return was
}

// back says what puts the running system back: before the edits are undone,
// while the files of new units are still there, and after it.
func (s services) back(effects []Effect) (first, last []Effect) {
	for _, e := range effects {
		d, ok := e.(Do)
		if !ok {
			last = append(last, e)
			continue
		}
		d.Ready = nil // what was before need not have been ready
		was, known := s[d.Unit]
		if !known {
			last = append(last, d)
			continue
		}
		verb, now := d.inverse(was)
		switch {
		case verb == "":
		case now:
			first = append([]Effect{Do{Verb: verb, Unit: d.Unit}}, first...)
		default:
			last = append(last, Do{Verb: verb, Unit: d.Unit})
		}
	}
	return first, last
}

// inverse is the verb after which a unit is again as it was, empty for none,
// and whether that is to be done before the edits are undone.
func (d Do) inverse(was host.Unit) (v Verb, first bool) {
	ran := was.State == host.Running || was.State == host.Starting
	switch d.Verb {
	case Start, Restart, Reload:
		if ran {
			return d.Verb, false // with the files of before
		}
		return Stop, true
	case Stop, Kill:
		if ran {
			return Start, false
		}
	case Enable:
		if !was.Enabled {
			return Disable, true
		}
	case Disable:
		if was.Enabled {
			return Enable, false
		}
	}
	return "", false
}
