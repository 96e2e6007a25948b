package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"watchdog/probes/format/gaiconf"
	"watchdog/probes/format/hostsfile"
	"watchdog/probes/host"
)

// A Hostname gives the host a name that is none of the site's public ones: for
// those nss-myhostname would answer with every address of the host, 172.17.0.1
// and fe80:: among them. A name that somebody chose stays.
type Hostname struct {
	Name   string   // the name to give, "idp"
	Public []string // the site's public names
}

// Spec implements [Remedy].
func (r Hostname) Spec() Spec {
	return Spec{ID: "system.hostname", Summary: "set a host name that is not a public one", Risk: Harmless, Timeout: 30 * time.Second}
}

// Plan implements [Remedy].
func (r Hostname) Plan(_ context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	file, err := readText(h, "/etc/hostname")
	if err != nil {
		return Plan{}, err
	}
	data, err := h.FS.ReadFile(host.HostnameFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("read the host name: %w", err)
	}
	static, running := staticName(file.data), strings.TrimSpace(string(data))
	name := r.Name
	for _, own := range []string{running, static} {
		if r.good(own) {
			name = own
		}
	}
	// A host may have its name from elsewhere and none in the file, but what
	// the file says comes back at the next start.
	if r.public(static) || !r.good(running) && static != name {
		file.data = []byte(name + "\n")
		p.Edits = file.edits()
	}
	if !r.good(running) {
		p.Effects = []Effect{Call{Command{Name: "hostname-set"}, "take the host name from /etc/hostname"}}
	}
	return p, nil
}

// staticName reads /etc/hostname: the first line that is no comment
// (hostname(5)).
func staticName(data []byte) string {
	for l := range strings.Lines(string(data)) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			return l
		}
	}
	return ""
}

func (r Hostname) good(name string) bool {
	return !slices.Contains([]string{"", "(none)", "localhost", "localhost.localdomain"}, name) && !r.public(name)
}

func (r Hostname) public(name string) bool {
	return slices.ContainsFunc(r.Public, func(p string) bool { return strings.EqualFold(p, strings.TrimSuffix(name, ".")) })
}

// A HostsLine is a line of /etc/hosts that the site owns: its names mean Addr
// and nothing else.
type HostsLine struct {
	Addr  netip.Addr
	Names []string
}

// Hosts keeps the site's lines and those of localhost in /etc/hosts. Lines of
// others stay; one that maps a name of the site to another address loses that
// name.
type Hosts struct {
	Lines []HostsLine
	// Others are names of the site's other hosts. They need no line, but one
	// that leads astray is put right.
	Others []HostsLine
}

// Spec implements [Remedy].
func (r Hosts) Spec() Spec {
	return Spec{ID: "system.hosts", Summary: "write the site's lines of /etc/hosts", Risk: Harmless, Timeout: 30 * time.Second}
}

// Plan implements [Remedy].
func (r Hosts) Plan(_ context.Context, h *host.Host) (Plan, error) {
	t, err := readText(h, "/etc/hosts")
	if err != nil {
		return Plan{}, err
	}
	// localhost has one line per family, so neither may take it from the other.
	for _, addr := range []string{"127.0.0.1", "::1"} {
		at := netip.MustParseAddr(addr)
		if !slices.ContainsFunc(hostsfile.Parse(t.data).Lookup("localhost"), func(e hostsfile.Entry) bool { return e.Addr == at }) {
			t.data = append(endLine(t.data), addr+" localhost\n"...)
		}
	}
	f := hostsfile.Parse(t.data)
	for _, l := range r.Lines {
		f = f.Set(l.Addr, l.Names...)
	}
	for _, l := range r.Others {
		for _, name := range l.Names {
			if slices.ContainsFunc(f.Lookup(name), func(e hostsfile.Entry) bool { return e.Addr != l.Addr }) {
				f = f.Set(l.Addr, name)
			}
		}
	}
	t.data = f.Bytes()
	return Plan{Remedy: r.Spec().ID, Edits: t.edits()}, nil
}

// endLine returns data with a newline at its end, unless it is empty.
func endLine(data []byte) []byte {
	if n := len(data); n > 0 && data[n-1] != '\n' {
		return append(slices.Clip(data), '\n')
	}
	return slices.Clip(data)
}

// GAI makes getaddrinfo prefer IPv6.
type GAI struct{}

// Spec implements [Remedy].
func (r GAI) Spec() Spec {
	return Spec{ID: "system.gai", Summary: "prefer IPv6 in /etc/gai.conf", Risk: Harmless, Timeout: 30 * time.Second}
}

// precedences is the whole table, since one line of one's own replaces all of
// glibc's (gai.conf(5)): the guide's two values, last, and glibc's for the rest.
// The loopback stays first, as it is there.
var precedences = []gaiconf.Entry{
	{Prefix: netip.MustParsePrefix("::1/128"), Value: 110},
	{Prefix: netip.MustParsePrefix("2002::/16"), Value: 30},
	{Prefix: netip.MustParsePrefix("::/96"), Value: 20},
	{Prefix: gaiconf.IPv6, Value: 100},
	{Prefix: gaiconf.IPv4, Value: 10},
}

// Plan implements [Remedy].
func (r GAI) Plan(_ context.Context, h *host.Host) (Plan, error) {
	t, err := readText(h, "/etc/gai.conf")
	if err != nil {
		return Plan{}, err
	}
	f := gaiconf.Parse(t.data)
	for _, e := range precedences {
		f = f.SetPrecedence(e.Prefix, e.Value)
	}
	t.data = f.Bytes()
	return Plan{Remedy: r.Spec().ID, Edits: t.edits()}, nil
}
