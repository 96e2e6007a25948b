package rules

import (
	"cmp"
	"slices"
	"strings"

	"watchdog/probes"
	"watchdog/remedies"
)

// A Verdict is what [Diagnose] makes of a finding.
type Verdict string

// A finding with something wrong beneath it in the graph is a symptom, one with
// nothing wrong beneath it a cause, one with something beneath it that must be
// seen and could not be is undecided and waits.
const (
	Cause     Verdict = "cause"
	Symptom   Verdict = "symptom"
	Undecided Verdict = "undecided"
)

// A Diagnosis is one fault, and where it stands among the others.
type Diagnosis struct {
	Fault   Ref
	Verdict Verdict
	Rule    Rule
	// Finding is the first probe's, with the evidence of all.
	Finding probes.Finding
	// Probes lists those that found it.
	Probes []string
	// Explains lists the symptoms of a cause; By the causes of a symptom.
	// Outlasts lists those of By whose end does not end it.
	Explains []Ref
	By       []Ref
	Outlasts []Ref
	// Unseen lists the probes that an undecided one waits for.
	Unseen []string
}

// A Book is a set of rules, by code, and who tells of each code.
type Book struct {
	Rules map[probes.Code]Rule
	// Tells lists, by code, the probes that may find it.
	Tells map[probes.Code][]string
	// Calm names the probes whose looks count only while no remedy is at work.
	Calm map[string]bool
	// Cures are the remedies that this host has, by ID.
	Cures map[string]remedies.Spec
}

// NewBook indexes a table of rules, the probes that look for its codes, and the
// remedies that they name.
func NewBook(table []Rule, ps []probes.Probe, rs []remedies.Remedy) Book {
	b := Book{Rules: make(map[probes.Code]Rule, len(table)), Tells: map[probes.Code][]string{}, Calm: map[string]bool{}, Cures: make(map[string]remedies.Spec, len(rs))}
	for _, r := range rs {
		b.Cures[r.Spec().ID] = r.Spec()
	}
	for _, r := range table {
		b.Rules[r.Code] = r
	}
	for _, p := range ps {
		s := p.Spec()
		b.Calm[s.ID] = s.Calm
		for _, c := range s.Codes {
			b.Tells[c] = append(b.Tells[c], s.ID)
		}
	}
	return b
}

// Diagnose sorts out what was seen: causes first, the gravest first, each with
// the symptoms it explains. It is a pure function of its arguments; a code
// without a rule is a cause of unknown meaning, never dropped.
func Diagnose(b Book, seen []probes.Result) []Diagnosis {
	found, order := collect(b, seen)
	if len(order) == 0 {
		return nil
	}
	states := make(map[string]probes.State, len(seen))
	for _, r := range seen {
		states[r.Probe] = r.State
	}
	beneath := make(map[Ref][]Ref, len(order)) // fault → all faults found below it
	ending := make(map[Ref][]Ref, len(order))  // fault → those of them that it ends with
	for _, f := range order {
		d := found[f]
		below, unseen := b.walk(f, found, states, Ref.any)
		beneath[f] = below
		ending[f], _ = b.walk(f, found, states, Ref.ends)
		switch {
		case len(below) > 0:
			d.Verdict = Symptom
		case len(unseen) > 0:
			d.Verdict, d.Unseen = Undecided, unseen
		default:
			d.Verdict = Cause
		}
	}
	for _, f := range order {
		for _, below := range beneath[f] {
			if root := found[below]; root.Verdict != Symptom {
				root.Explains = append(root.Explains, f)
				found[f].By = append(found[f].By, below)
				if !slices.Contains(ending[f], below) {
					found[f].Outlasts = append(found[f].Outlasts, below)
				}
			}
		}
	}
	out := make([]Diagnosis, len(order))
	for i, f := range order {
		out[i] = *found[f]
	}
	slices.SortStableFunc(out, compareDiagnoses)
	return out
}

// collect merges findings of one code and subject, in the order they were seen.
func collect(b Book, seen []probes.Result) (map[Ref]*Diagnosis, []Ref) {
	found := map[Ref]*Diagnosis{}
	var order []Ref
	for _, r := range seen {
		for _, f := range r.Findings {
			ref := On(f.Code, f.Subject)
			d := found[ref]
			if d == nil {
				d = &Diagnosis{Fault: ref, Finding: f, Rule: b.Rules[f.Code]}
				d.Finding.Evidence = slices.Clone(f.Evidence)
				found[ref] = d
				order = append(order, ref)
			} else {
				d.Finding.Evidence = append(d.Finding.Evidence, f.Evidence...)
			}
			if !slices.Contains(d.Probes, r.Probe) {
				d.Probes = append(d.Probes, r.Probe)
			}
		}
	}
	return found, order
}

// walk goes down the graph from one fault. It returns the faults found below
// it, and the probes that could not look at what must be seen below it. A code
// that was not found is walked through all the same, because a blind spot in the
// middle does not hide what is beneath it – unless every probe that tells of it
// says that all is well: then nothing passes that way. Of the edges it takes
// those that may says.
func (b Book) walk(from Ref, found map[Ref]*Diagnosis, states map[string]probes.State, may func(Ref) bool) (below []Ref, unseen []string) {
	visited := map[Ref]bool{plain(from): true}
	var down func(at Ref)
	down = func(at Ref) {
		for _, edge := range b.edges(at) {
			next := plain(edge)
			if visited[next] || !may(edge) {
				continue
			}
			visited[next] = true
			if edge.MustSee {
				unseen = append(unseen, b.unseen(next.Code, states)...)
			}
			for f := range found {
				if f.Code == next.Code && (next.Subject == "" || next.Subject == f.Subject) && f != plain(from) && !slices.Contains(below, f) {
					below = append(below, f)
					if !visited[f] {
						visited[f] = true
						down(f)
					}
				}
			}
			if !b.well(next.Code, states) {
				down(next)
			}
		}
	}
	down(plain(from))
	slices.SortFunc(below, compareRefs)
	slices.Sort(unseen)
	return below, slices.Compact(unseen)
}

// unseen returns the probes of code that could not look, if none of its probes
// could.
func (b Book) unseen(code probes.Code, states map[string]probes.State) []string {
	tell := b.Tells[code]
	for _, p := range tell {
		if s := states[p]; s != "" && s != probes.Unknown { // "": has not looked yet
			return nil
		}
	}
	return tell
}

// well reports whether every probe that tells of code has looked and found
// nothing at all.
func (b Book) well(code probes.Code, states map[string]probes.State) bool {
	tell := b.Tells[code]
	for _, p := range tell {
		if states[p] != probes.OK {
			return false
		}
	}
	return len(tell) > 0
}

// edges returns what a fault depends on directly, with its subject filled in.
func (b Book) edges(at Ref) []Ref {
	rule := b.Rules[at.Code]
	var out []Ref
	if rule.OfRemedy {
		out = b.healers(at.Subject)
	}
	for _, e := range rule.DependsOn {
		if e.When == "" || e.When == at.Subject {
			out = append(out, Ref{Code: e.Code, Subject: fill(e.Subject, at.Subject), MustSee: e.MustSee, Stays: e.Stays})
		}
	}
	return out
}

// any takes every edge, and ends those by which a fault goes with its cause.
func (r Ref) any() bool  { return true }
func (r Ref) ends() bool { return !r.Stays }

// fill puts a subject into a text of the book.
func fill(text, subject string) string { return strings.ReplaceAll(text, "{subject}", subject) }

func plain(r Ref) Ref { return Ref{Code: r.Code, Subject: r.Subject} }

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Subject, b.Subject))
}

func compareDiagnoses(a, b Diagnosis) int {
	return cmp.Or(
		cmp.Compare(a.Verdict.rank(), b.Verdict.rank()),
		cmp.Compare(a.Rule.Severity.rank(), b.Rule.Severity.rank()),
		-cmp.Compare(len(a.Explains), len(b.Explains)),
		compareRefs(a.Fault, b.Fault),
	)
}

func (v Verdict) rank() int {
	return slices.Index([]Verdict{Cause, Undecided, Symptom}, v)
}

func (s Severity) rank() int {
	return slices.Index([]Severity{Critical, Warning, Info, ""}, s)
}
