package remedies

import (
	"context"
	"fmt"
	"strings"
	"time"

	"watchdog/probes/format/sysctlconf"
	"watchdog/probes/host"
)

// Sysctl turns privacy addresses off, and router advertisements where the
// default route does not come from them, at run time and for the next start.
type Sysctl struct{}

// Spec implements [Remedy].
func (r Sysctl) Spec() Spec {
	return Spec{ID: "system.sysctl", Summary: "set the IPv6 kernel parameters", Risk: Harmless, Timeout: 30 * time.Second}
}

const sysctlHead = "# IPv6 of a host with a static address. \"all\" and \"default\" do not reach\n" +
	"# interfaces that are up already: each has lines of its own.\n"

// Plan implements [Remedy].
func (r Sysctl) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	parameters, err := h.IPv6Parameters(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Remedy: r.Spec().ID}
	if p.Edits, err = persist(h, parameters); err != nil {
		return Plan{}, err
	}
	for _, param := range parameters {
		if param.Needed {
			continue
		}
		n, err := h.FS.Node(sysctlconf.Path(param.Key))
		if err != nil {
			return Plan{}, err
		}
		if n == nil || param.Right(string(n.Data)) {
			continue
		}
		zero := *n
		zero.Data = []byte("0\n")
		p.Edits = append(p.Edits, Write{Path: sysctlconf.Path(param.Key), Old: n, New: &zero})
	}
	return p, nil
}

// persist returns the edits after which the parameters are 0 at the next start.
// A file that is applied later and says otherwise is set right in its place.
func persist(h *host.Host, parameters []host.IPv6Parameter) ([]Edit, error) {
	found, err := h.SysctlFiles()
	if err != nil {
		return nil, err
	}
	texts, files, own := []text{}, []sysctlconf.File{}, -1
	for i, f := range found {
		t := textOf(f)
		if f.Name == host.SysctlOwn {
			own = i
			if t.old == nil {
				t.data = []byte(sysctlHead)
			}
		}
		texts, files = append(texts, t), append(files, sysctlconf.Parse(t.data))
	}
	if own < 0 {
		return nil, fmt.Errorf("write %s: it is a link to /dev/null, or to a file that is read before", host.SysctlOwn)
	}
	for _, param := range parameters {
		if param.Needed || !param.Kept {
			continue
		}
		s, at, ok := sysctlconf.Lookup(files, param.Key)
		if ok && param.Right(s.Value) {
			continue
		}
		if !ok || strings.ContainsAny(s.Key, "*?[") {
			at = own
		}
		files[at] = files[at].Set(param.Key, "0")
	}
	var edits []Edit
	for i, t := range texts {
		if t.data = files[i].Bytes(); string(t.data) != sysctlHead {
			edits = append(edits, t.edits()...)
		}
	}
	return edits, nil
}
