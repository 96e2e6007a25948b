package remedies

// A Record is an effect in a form that outlives the process: what has to be
// done again when the program ended between writing a file and making the
// running system follow it. No plan could see that from the files alone.
type Record struct {
	Verb    Verb     `json:"verb,omitempty"`
	Unit    string   `json:"unit,omitempty"`
	Command *Command `json:"command,omitempty"`
	What    string   `json:"what,omitempty"`
}

// Effect turns a record back into what it was made from. A service's readiness
// is not kept: it is settled when its manager says so.
func (r Record) Effect() Effect {
	if r.Command != nil {
		return Call{Command: *r.Command, What: r.What}
	}
	return Do{Verb: r.Verb, Unit: r.Unit}
}

// Records returns the records of the plan's effects. An effect of another type
// keeps none: its remedy's own plan has to see that it is still to be done.
func (p Plan) Records() []Record {
	var out []Record
	for _, e := range p.Effects {
		switch e := e.(type) {
		case Do:
			out = append(out, Record{Verb: e.Verb, Unit: e.Unit})
		case Call:
			if len(e.Command.Env) == 0 {
				out = append(out, Record{Command: &e.Command, What: e.What})
			}
		}
	}
	return out
}

// OnlyRestarts returns the units that the plan restarts, if that is all it does.
func (p Plan) OnlyRestarts() []string {
	if len(p.Steps) > 0 || len(p.Edits) > 0 {
		return nil
	}
	var units []string
	for _, e := range p.Effects {
		if r, ok := e.(restart); ok {
			e = r.do
		}
		d, ok := e.(Do)
		if !ok || d.Verb != Restart {
			return nil
		}
		units = append(units, d.Unit)
	}
	return units
}
