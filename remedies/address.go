package remedies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"watchdog/probes/host"
)

// NetworkFile keeps which interface the public address was on, for the day it
// is gone.
const NetworkFile = "/var/lib/watchdog/network.json"

// An Address puts the host's public address back on its interface.
type Address struct {
	Addr netip.Addr
	// Interface and Prefix (its length in bits) as the site file gives them;
	// what is empty is learned while the address is there.
	Interface string
	Prefix    int
}

// Spec implements [Remedy].
func (r Address) Spec() Spec {
	return Spec{ID: "system.address", Summary: "put the public address on its interface", Risk: Harmless, Timeout: 30 * time.Second}
}

// learned is the content of [NetworkFile].
type learned struct {
	Interface string `json:"interface"`
	Prefix    int    `json:"prefix"`
}

// Plan implements [Remedy].
func (r Address) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	p := Plan{Remedy: r.Spec().ID}
	all, err := h.Net.Addresses(ctx)
	if err != nil {
		return Plan{}, err
	}
	i := slices.IndexFunc(all, func(a host.Address) bool { return a.Prefix.Addr() == r.Addr })
	if i < 0 {
		where, err := r.where(h)
		if err != nil {
			return Plan{}, err
		}
		p.Effects = []Effect{addAddress{netip.PrefixFrom(r.Addr, where.Prefix), where.Interface, false}}
		return p, nil
	}
	now := all[i]
	if now.DADFailed || now.Tentative {
		p.Effects = []Effect{addAddress{now.Prefix, now.Interface, true}}
		return p, nil
	}
	p.Edits, err = r.learn(h, learned{now.Interface, now.Prefix.Bits()})
	return p, err
}

// where says which interface the missing address belongs to.
func (r Address) where(h *host.Host) (learned, error) {
	known := learned{r.Interface, r.Prefix}
	if known.Interface != "" && known.Prefix != 0 {
		return known, nil
	}
	data, err := h.FS.ReadFile(NetworkFile)
	var kept learned
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return learned{}, fmt.Errorf("read %s: %w", NetworkFile, err)
	default:
		if err := json.Unmarshal(data, &kept); err != nil {
			return learned{}, fmt.Errorf("read %s: %w", NetworkFile, err)
		}
	}
	if known.Interface == "" {
		known.Interface = kept.Interface
	}
	if known.Prefix == 0 {
		known.Prefix = kept.Prefix
	}
	if known.Interface == "" || known.Prefix < 1 || known.Prefix > r.Addr.BitLen() {
		return learned{}, fmt.Errorf("put %s back: no interface has it and none is known to have had it; set interface and prefix in site.yaml", r.Addr)
	}
	return known, nil
}

// learn keeps where the address is, when the site file does not say.
func (r Address) learn(h *host.Host, now learned) ([]Edit, error) {
	if r.Interface != "" && r.Prefix != 0 {
		return nil, nil
	}
	data, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	edits, err := directory(h, "/var/lib/watchdog", 0o700)
	if err != nil {
		return nil, err
	}
	file, err := Converge(h, NetworkFile, File(append(data, '\n'), "root", "root", 0o600))
	return append(edits, file...), err
}

// addAddress is the effect that puts an address on an interface. Again takes it
// away first: only so does the kernel ask anew whether somebody else has it.
type addAddress struct {
	prefix netip.Prefix
	iface  string
	again  bool
}

func (e addAddress) String() string {
	if e.again {
		return fmt.Sprintf("add %s to %s again", e.prefix, e.iface)
	}
	return fmt.Sprintf("add %s to %s", e.prefix, e.iface)
}

// Do implements [Effect].
func (e addAddress) Do(ctx context.Context, w Hands) error {
	args := []string{e.prefix.String(), e.iface}
	if e.again {
		if _, err := w.Run(ctx, Command{Name: "address-del", Args: args}); err != nil {
			return err
		}
	}
	_, err := w.Run(ctx, Command{Name: "address-add", Args: args})
	return err
}

// Settled implements [Effect]. It waits for duplicate address detection, which
// takes a second or two.
func (e addAddress) Settled(ctx context.Context, h *host.Host) error {
	return awaitOrEnd(ctx, func(ctx context.Context) (bool, error) {
		all, err := h.Net.Addresses(ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(all, func(a host.Address) bool { return a.Prefix.Addr() == e.prefix.Addr() })
		switch {
		case i < 0:
			return false, fmt.Errorf("%s is on no interface", e.prefix.Addr())
		case all[i].DADFailed:
			return true, e.taken(ctx, h)
		case all[i].Tentative:
			return false, fmt.Errorf("%s is still tentative", e.prefix.Addr())
		}
		return false, nil
	})
}

// taken says who has the address.
func (e addAddress) taken(ctx context.Context, h *host.Host) error {
	holder, err := h.Link.Holder(ctx, e.iface, e.prefix.Addr())
	if err != nil || holder == nil {
		return fmt.Errorf("another machine of the link answered for %s", e.prefix.Addr())
	}
	return fmt.Errorf("the machine with hardware address %s has %s", holder, e.prefix.Addr())
}
