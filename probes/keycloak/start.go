package keycloak

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Start tells why the server is not running, from what its last run wrote.
// While it runs there is nothing to tell.
type Start struct {
	Service string // "keycloak"
	// Secrets names the generated secrets that the server knows: they are
	// taken out of what it wrote.
	Secrets []string
}

// Spec implements [probes.Probe].
func (s Start) Spec() probes.Spec {
	return probes.Spec{
		ID:      "keycloak.start",
		Summary: "the last start of Keycloak did not fail",
		Codes:   []probes.Code{ConfigRejected, OutOfMemory, StartFailed, ListenerTaken, CertsUnreadable},
		Every:   5 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "keycloak"}},
	}
}

// oomKill is the manager's word for a process that the kernel ended for memory.
const oomKill = "oom-kill"

// Observe implements [probes.Probe].
func (s Start) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	unit := h.Facts.Layout.Unit(s.Service)
	u, err := h.Init.Unit(ctx, unit)
	if err != nil {
		return nil, err
	}
	switch {
	case u.State == host.Running, u.State == host.Stopping, u.State == host.Starting && u.Result == "":
		return nil, nil
	case u.State == host.Absent:
		return nil, fmt.Errorf("read why %s did not start: there is no such unit", unit)
	case u.Result == oomKill:
		found := s.found(unit, reason{OutOfMemory, s.Service, "the kernel ended Keycloak for lack of memory", oomLine(u)}, "")
		return withHeap(h, unit, found)
	}
	journal, err := h.Exec.Run(ctx, "journalctl", "-u", unit, "-o", "json", "-n", journalLines, "--no-pager")
	if err != nil {
		return nil, err
	}
	lines := lastRun(journal)
	if len(lines) == 0 && u.State == host.Failed {
		return nil, fmt.Errorf("read why %s did not start: the journal has no line of it", unit)
	}
	r, ok := reasonOf(lines)
	if !ok {
		return nil, nil
	}
	if r.line, err = s.redact(h, r.line); err != nil {
		return nil, err
	}
	holder := ""
	if r.code == ListenerTaken {
		if holder, err = holderOf(ctx, h, r.subject); err != nil || holder == "" {
			return nil, err
		}
	}
	if r.code == OutOfMemory {
		return withHeap(h, unit, s.found(unit, r, holder))
	}
	return s.found(unit, r, holder), nil
}

// heapLimit is the option that bounds the heap.
var heapLimit = regexp.MustCompile(`-Xmx(\d+[kKmMgG]?)`)

// withHeap adds what the heap is bounded to: a drop-in counts more than the unit,
// a later one more than those before it.
func withHeap(h *host.Host, unit string, found []probes.Finding) ([]probes.Finding, error) {
	files, err := h.UnitFiles(unit)
	if err != nil {
		return nil, err
	}
	where, limit := "", ""
	for _, name := range files {
		text, err := h.FS.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all := heapLimit.FindAllSubmatch(text, -1)
		if dropIn := path.Base(name) != unit; all != nil && (dropIn || limit == "") {
			where, limit = name, string(all[len(all)-1][1])
		}
	}
	if limit != "" {
		found[0].Evidence = append(found[0].Evidence, probes.Evidence{
			Source: where, Want: "a heap large enough for its users", Got: "a heap of " + limit,
			Command: "systemctl cat " + unit + "; watchdog site show    # keycloak: heap",
		})
	}
	return found, nil
}

func oomLine(u host.Unit) string {
	if u.Detail == "" {
		return "result " + u.Result
	}
	return u.Detail
}

// holderOf names who listens on a port now. It is empty when the port is free
// again: then it no longer keeps Keycloak from starting.
func holderOf(ctx context.Context, h *host.Host, port string) (string, error) {
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return "", err
	}
	var who []string
	for _, l := range listeners {
		if strconv.Itoa(int(l.Addr.Port())) == port {
			program := l.Program
			if program == "" {
				program = "unknown"
			}
			who = append(who, fmt.Sprintf("%s by %s (pid %d)", l.Addr, program, l.PID))
		}
	}
	return strings.Join(who, ", "), nil
}

// passwordLike finds what is given to a key that speaks of secrets, and
// credentials in URLs.
var passwordLike = regexp.MustCompile(`(?i)((?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api-?key)[\w.-]*["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;]+)|(://[^/\s:@]*:)[^@/\s]+@`)

// redact takes secrets out of a line that the server wrote: its own, as far as
// they can be read, and what looks like one.
func (s Start) redact(h *host.Host, line string) (string, error) {
	for _, name := range s.Secrets {
		secret, err := h.Secret(name)
		if err != nil {
			return "", err
		}
		if !secret.Missing() {
			line = strings.ReplaceAll(line, secret.Reveal(), secret.String())
		}
	}
	return clip(unsecret(line), 300), nil
}

// unsecret takes out of a text what looks like a secret.
func unsecret(text string) string {
	return passwordLike.ReplaceAllStringFunc(text, func(m string) string {
		g := passwordLike.FindStringSubmatch(m)
		if g[3] != "" {
			return g[3] + "[redacted]@"
		}
		return g[1] + "[redacted]"
	})
}

func (s Start) found(unit string, r reason, holder string) []probes.Finding {
	f := probes.Finding{Code: r.code, Subject: r.subject, Summary: r.summary, Evidence: []probes.Evidence{{
		Source:  "journal of " + unit,
		Want:    "a start without an ERROR line",
		Got:     r.line,
		Command: "journalctl -u " + unit + " -n " + journalLines + " --no-pager",
	}}}
	if holder != "" {
		f.Evidence = append(f.Evidence, probes.Evidence{
			Source: "port " + r.subject, Want: "free for Keycloak", Got: clip(holder, 300), Command: "ss -ltnp 'sport = :" + r.subject + "'",
		})
	}
	return []probes.Finding{f}
}
