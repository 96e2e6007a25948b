package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"watchdog/probes"
	"watchdog/probes/format/sysctlconf"
	"watchdog/probes/host"
)

// The codes of [Sysctl].
const (
	// SysctlDrift says that a kernel parameter is not what a host with a fixed
	// address needs, now or after the next start.
	SysctlDrift probes.Code = "host.sysctl-drift"
	// AcceptRANeeded says that router advertisements have to be listened to,
	// for all that is known.
	AcceptRANeeded probes.Code = "host.accept-ra-needed"
)

// Sysctl is the probe host.sysctl: no privacy addresses, and no addresses or
// routes from router advertisements where the host can do without. Which
// parameters those are [host.Host.IPv6Parameters] says.
type Sysctl struct{}

// Spec implements [probes.Probe].
func (p Sysctl) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.sysctl",
		Summary: "use_tempaddr and accept_ra of each interface, now and at the next start",
		Codes:   []probes.Code{SysctlDrift, AcceptRANeeded},
		Every:   slow,
		Timeout: timeout,
		Wakes: []probes.Wake{
			{Kind: probes.WakeFile, Name: host.SysctlOwn}, {Kind: probes.WakeFile, Name: host.SysctlConf}, {Kind: probes.WakeAddress},
		},
	}
}

// Observe implements [probes.Probe].
func (p Sysctl) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	parameters, err := h.IPv6Parameters(ctx)
	if err != nil {
		return nil, err
	}
	files, paths, err := nextStart(h)
	if err != nil {
		return nil, err
	}
	var found []probes.Finding
	for _, param := range parameters {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		evidence, err := runningValue(h, param)
		if err != nil {
			return nil, err
		}
		if param.Needed {
			found = append(found, needed(param, evidence)...)
			continue
		}
		if param.Kept {
			evidence = append(evidence, nextValue(files, paths, param)...)
		}
		if len(evidence) > 0 {
			found = append(found, probes.Finding{
				Code: SysctlDrift, Subject: param.Key, Summary: fmt.Sprintf("%s is not 0 for %s", param.Name, param.Interface), Evidence: evidence,
			})
		}
	}
	return found, nil
}

// needed tells of an interface that listens to advertisements and may have to.
// What "all" and "default" say matters to no interface that is up, and those of
// containers are nobody's to set up.
func needed(param host.IPv6Parameter, listens []probes.Evidence) []probes.Finding {
	if len(listens) == 0 || !param.Kept || param.Interface == "all" || param.Interface == "default" {
		return nil
	}
	return []probes.Finding{{
		Code: AcceptRANeeded, Subject: param.Interface,
		Summary: param.Interface + " takes router advertisements, and may have no other way out",
		Evidence: append(listens, probes.Evidence{
			Source: "/proc/net/ipv6_route", Want: "a default route by a gateway that no advertisement named", Got: "none that " + param.Interface + " could do with",
			Command: "ip -6 route show",
		}),
	}}
}

// runningValue returns what is wrong with the parameter at run time. One that
// the kernel does not have for this interface is not wrong.
func runningValue(h *host.Host, param host.IPv6Parameter) ([]probes.Evidence, error) {
	name := sysctlconf.Path(param.Key)
	data, err := h.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", param.Key, err)
	}
	value := strings.TrimSpace(string(data))
	if param.Right(value) {
		return nil, nil
	}
	return []probes.Evidence{{Source: name, Want: "0", Got: probes.Clip(value), Command: "sysctl " + param.Key}}, nil
}

// nextValue returns what is wrong with the parameter at the next start. One that
// no file sets gets the kernel's own value: 0 for use_tempaddr, 1 for accept_ra.
func nextValue(files []sysctlconf.File, paths []string, param host.IPv6Parameter) []probes.Evidence {
	s, i, ok := sysctlconf.Lookup(files, param.Key)
	want := param.Key + " = 0"
	switch {
	case !ok && param.Name == "accept_ra":
		return []probes.Evidence{{Source: host.SysctlOwn, Want: want, Got: "no line: 1 at the next start", Command: "grep -rn " + param.Name + " /etc/sysctl.d"}}
	case !ok || param.Right(s.Value):
		return nil
	}
	at := paths[i] + ":" + strconv.Itoa(s.Line)
	return []probes.Evidence{{Source: at, Want: want, Got: probes.Clip(s.Value), Command: "grep -n " + param.Name + " " + paths[i]}}
}

// nextStart reads the files of the next start and where they are.
func nextStart(h *host.Host) (files []sysctlconf.File, paths []string, err error) {
	found, err := h.SysctlFiles()
	if err != nil {
		return nil, nil, err
	}
	for _, f := range found {
		var data []byte
		if f.Node != nil {
			data = f.Node.Data
		}
		files, paths = append(files, sysctlconf.Parse(data)), append(paths, f.Path)
	}
	return files, paths, nil
}
