package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"watchdog/probes"
	"watchdog/probes/format/sysctlconf"
	"watchdog/probes/host"
)

// SysctlDrift says that a kernel parameter is not what a host with a fixed
// address needs, now or after the next start.
const SysctlDrift probes.Code = "host.sysctl-drift"

// confDir has a directory for each interface, and for "all" and "default".
const confDir = "/proc/sys/net/ipv6/conf"

// sysctlDirs holds the directories of sysctl.d(5): a file in an earlier one
// hides the one of the same name in a later one.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// sysctlConf is what sysctl --system reads after all of them.
const sysctlConf = "/etc/sysctl.conf"

// Sysctl is the probe host.sysctl: no privacy addresses, and no addresses or
// routes from router advertisements. "all" and "default" do not reach
// interfaces that are up already, so each is looked at.
type Sysctl struct{}

// Spec implements [probes.Probe].
func (p Sysctl) Spec() probes.Spec {
	return probes.Spec{
		ID:      "host.sysctl",
		Summary: "use_tempaddr and accept_ra of each interface, now and at the next start",
		Codes:   []probes.Code{SysctlDrift},
		Every:   slow,
		Timeout: timeout,
		Wakes: []probes.Wake{
			{Kind: probes.WakeFile, Name: "/etc/sysctl.d/99-ipv6.conf"}, {Kind: probes.WakeFile, Name: sysctlConf}, {Kind: probes.WakeAddress},
		},
	}
}

// Observe implements [probes.Probe].
func (p Sysctl) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	names, err := h.FS.ReadDir(confDir)
	if err != nil {
		return nil, fmt.Errorf("list the kernel's IPv6 parameters: %w", err)
	}
	addresses, err := h.Net.Addresses(ctx)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	files, paths, err := sysctlFiles(h)
	if err != nil {
		return nil, err
	}
	var found []probes.Finding
	for _, name := range names {
		if name == "lo" {
			continue
		}
		kept := name == "all" || name == "default" || slices.ContainsFunc(addresses, func(a host.Address) bool {
			ip := a.Prefix.Addr()
			return a.Interface == name && ip.Is6() && ip.IsGlobalUnicast()
		})
		for _, parameter := range []string{"accept_ra", "use_tempaddr"} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			key := sysctlKey(name, parameter)
			running, err := runningValue(h, key)
			if err != nil {
				return nil, err
			}
			evidence := running
			if kept {
				evidence = append(evidence, nextValue(files, paths, key, parameter)...)
			}
			if len(evidence) > 0 {
				found = append(found, probes.Finding{
					Code: SysctlDrift, Subject: key, Summary: fmt.Sprintf("%s is not 0 for %s", parameter, name), Evidence: evidence,
				})
			}
		}
	}
	return found, nil
}

// sysctlKey is the key of an interface's parameter, with slashes where the
// interface's name has a dot (sysctl.d(5)).
func sysctlKey(iface, parameter string) string {
	if strings.Contains(iface, ".") {
		return "net/ipv6/conf/" + iface + "/" + parameter
	}
	return "net.ipv6.conf." + iface + "." + parameter
}

// runningValue returns what is wrong with the key at run time. A key that the
// kernel does not have for this interface is not wrong, and -1 is "never".
func runningValue(h *host.Host, key string) ([]probes.Evidence, error) {
	data, err := h.FS.ReadFile(sysctlconf.Path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	value := strings.TrimSpace(string(data))
	if value == "0" || value == "-1" {
		return nil, nil
	}
	return []probes.Evidence{{Source: sysctlconf.Path(key), Want: "0", Got: clip(value), Command: "sysctl " + key}}, nil
}

// nextValue returns what is wrong with the key at the next start. One that no
// file sets gets the kernel's own value: 0 for use_tempaddr, 1 for accept_ra.
func nextValue(files []sysctlconf.File, paths []string, key, parameter string) []probes.Evidence {
	s, i, ok := sysctlconf.Lookup(files, key)
	switch {
	case !ok && parameter == "accept_ra":
		return []probes.Evidence{{Source: sysctlDirs[0], Want: key + " = 0", Got: "no line: 1 at the next start", Command: "grep -rn " + parameter + " " + sysctlDirs[0]}}
	case !ok || s.Value == "0" || s.Value == "-1":
		return nil
	}
	at := paths[i] + ":" + strconv.Itoa(s.Line)
	return []probes.Evidence{{Source: at, Want: key + " = 0", Got: clip(s.Value), Command: "grep -n " + parameter + " " + paths[i]}}
}

// sysctlFiles reads the files of the next start in the order in which
// systemd-sysctl, and behind it sysctl --system, applies them.
func sysctlFiles(h *host.Host) ([]sysctlconf.File, []string, error) {
	byName := map[string]string{}
	for _, dir := range slices.Backward(sysctlDirs) {
		names, err := h.FS.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".conf") {
				byName[n] = dir + "/" + n
			}
		}
	}
	var names, paths []string
	for n := range byName {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		name, err := sysctlTarget(h, byName[n])
		if err != nil {
			return nil, nil, err
		}
		paths = append(paths, name)
	}
	if !slices.Contains(paths, sysctlConf) {
		paths = append(paths, sysctlConf)
	}
	files := make([]sysctlconf.File, len(paths))
	for i, name := range paths {
		if name == "/dev/null" { // a file that is hidden on purpose
			continue
		}
		data, err := h.FS.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("read %s: %w", name, err)
		}
		files[i] = sysctlconf.Parse(data)
	}
	return files, paths, nil
}

// sysctlTarget follows one link: Debian's 99-sysctl.conf leads to
// /etc/sysctl.conf.
func sysctlTarget(h *host.Host, name string) (string, error) {
	n, err := h.FS.Node(name)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", name, err)
	}
	if n == nil || n.Mode.Type() != fs.ModeSymlink {
		return name, nil
	}
	target := string(n.Data)
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(name), target)
	}
	return target, nil
}
