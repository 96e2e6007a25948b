package remedies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"watchdog/probes/format/nftjson"
	"watchdog/probes/host"
)

// A Firewall keeps a table of its own in the kernel that lets in the site's
// ports, administration, and what IPv6 lives on. Rules of others are left
// alone; the rest of the ruleset is theirs.
type Firewall struct {
	Public []uint16       // TCP ports open to the world
	Admin  []netip.Prefix // sources of administration; sshd's ports are open to all when empty
}

// Where the rules are, and the unit that loads them at boot.
const (
	FirewallFile = "/etc/watchdog/firewall.nft"
	firewallOff  = "/etc/watchdog/firewall-off.nft"
	firewallUnit = "/etc/systemd/system/watchdog-firewall.service"
)

// Spec implements [Remedy].
func (r Firewall) Spec() Spec {
	return Spec{ID: "firewall", Summary: "load the firewall's rules", Risk: Blip, Timeout: time.Minute}
}

// unitText follows systemd's advice for firewalls (systemd.special(7)): before
// network-pre.target, so that no interface is up without it. nftables.service,
// where it is used, flushes everything, ours too: so it is loaded after that and
// again with it.
const unitText = `# By watchdog.
[Unit]
Description=Firewall of the edge (watchdog)
Documentation=man:watchdog(8)
DefaultDependencies=no
After=local-fs.target nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=null
ProtectSystem=full
ProtectHome=yes
ExecStart=/usr/sbin/nft -f ` + FirewallFile + `
ExecReload=/usr/sbin/nft -f ` + FirewallFile + `
ExecStop=/usr/sbin/nft -f ` + firewallOff + `

[Install]
WantedBy=sysinit.target
`

// Plan implements [Remedy].
func (r Firewall) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	ssh, err := h.SSHPorts(ctx)
	if err != nil {
		return Plan{}, err
	}
	e := edge{public: slices.Compact(slices.Sorted(slices.Values(r.Public))), ssh: ssh, admin: r.Admin}
	old, err := h.FS.Node(FirewallFile)
	if err != nil {
		return Plan{}, err
	}
	if p.Edits, err = directory(h, "/etc/watchdog", 0o755); err != nil {
		return Plan{}, err
	}
	reread := false
	for _, f := range []struct {
		path string
		text []byte
	}{{FirewallFile, e.text()}, {firewallOff, []byte(edgeOff)}, {firewallUnit, []byte(unitText)}} {
		edits, err := Converge(h, f.path, File(f.text, "root", "root", 0o644))
		if err != nil {
			return Plan{}, err
		}
		p.Edits = append(p.Edits, edits...)
		reread = len(edits) > 0 && f.path == firewallUnit
	}
	if reread {
		p.Effects = append(p.Effects, Do{Verb: Reread})
	}
	differs, err := e.loaded(ctx, h)
	if err != nil {
		return Plan{}, err
	}
	if differs == "" {
		return p, nil
	}
	load := loadRules{h: h, accept: []string{digest(e.text())}}
	if old != nil {
		load.accept = append(load.accept, digest(old.Data))
	}
	p.Gates = []Gate{Call{Command{Name: "nft-check", Stdin: e.text()}, "check the rules with nft -c"}}
	p.Effects = append(p.Effects, load)
	return p, nil
}

// loaded says in what the kernel's table is not e's. Without nft, as on a bare
// host, there is none.
func (e edge) loaded(ctx context.Context, h *host.Host) (string, error) {
	rs, err := ruleset(ctx, h)
	if errors.Is(err, fs.ErrNotExist) {
		return "not loaded", nil
	}
	if err != nil {
		return "", err
	}
	return e.differs(rs), nil
}

func ruleset(ctx context.Context, h *host.Host) (nftjson.Ruleset, error) {
	out, err := h.Exec.Run(ctx, "nft", "-j", "list", "ruleset")
	if err != nil {
		return nftjson.Ruleset{}, err
	}
	return nftjson.Parse(out)
}

// revertAfter is how many seconds the new rules have to prove themselves.
const revertAfter = "60"

// loadRules is the effect that loads the file, so that nobody stays locked out:
// first the kernel is told to take the table away in a minute, and only when it
// is seen to be what the file says, that is called off. A program that dies in
// between so leaves a host that is open rather than closed to everybody.
type loadRules struct {
	h *host.Host
	// accept are the digests that may be found in force: the new rules', and
	// the former ones' for when they are put back.
	accept []string
}

func (e loadRules) String() string { return "load the rules with nft -f " + FirewallFile }

// Do implements [Effect].
func (e loadRules) Do(ctx context.Context, w Hands) error {
	// One that a killed run left would be in the way. Mostly there is none,
	// which is an error to systemctl only.
	_, _ = w.Run(ctx, Command{Name: "nft-revert-cancel"})
	file, err := e.h.FS.Node(FirewallFile)
	if err != nil {
		return err
	}
	if file == nil {
		return e.unload(ctx, w)
	}
	if _, err := w.Run(ctx, Command{Name: "nft-revert-in", Args: []string{revertAfter, firewallOff}}); err != nil {
		return err
	}
	if _, err := w.Run(ctx, Command{Name: "nft-load", Args: []string{FirewallFile}}); err != nil {
		return err
	}
	if err := e.check(ctx); err != nil {
		return err
	}
	_, err = w.Run(ctx, Command{Name: "nft-revert-cancel"})
	return err
}

// unload is loading again after the first rules of all were put back.
func (e loadRules) unload(ctx context.Context, w Hands) error {
	rs, err := ruleset(ctx, e.h)
	if err != nil || rs.Chain("inet", edgeTable, "input") == nil {
		return err
	}
	_, err = w.Run(ctx, Command{Name: "nft-delete-table", Args: []string{edgeTable}})
	return err
}

// check looks at what the kernel has now.
func (e loadRules) check(ctx context.Context) error {
	rs, err := ruleset(ctx, e.h)
	if err != nil {
		return err
	}
	chain := rs.Chain("inet", edgeTable, "input")
	if chain == nil || chain.Policy != "drop" || len(chain.Rules) == 0 {
		return fmt.Errorf("load %s: the kernel has no such table afterwards", FirewallFile)
	}
	got := digest([]byte(chain.Rules[len(chain.Rules)-1].Comment))
	if got == "" || !slices.Contains(e.accept, got) {
		return fmt.Errorf("load %s: the kernel has other rules afterwards", FirewallFile)
	}
	return nil
}

// Settled implements [Effect].
func (e loadRules) Settled(context.Context, *host.Host) error { return nil }
