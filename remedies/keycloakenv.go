package remedies

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"watchdog/probes/format/unitfile"
	"watchdog/probes/host"
)

// KeycloakEnv takes variables that override keycloak.conf out of Keycloak's
// drop-ins, and restarts it, also where it only still runs with such a variable.
// Nothing else in these files changes. A file of variables is left alone: other
// programs may read it.
type KeycloakEnv struct{ Server KeycloakServer }

// Spec implements [Remedy].
func (r KeycloakEnv) Spec() Spec {
	return Spec{
		ID: "keycloak.env", Summary: "take what overrides Keycloak's configuration out of its drop-ins", Risk: Outage,
		Timeout: 3 * time.Minute, Services: []string{"keycloak"},
	}
}

// Plan implements [Remedy].
func (r KeycloakEnv) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	unit := h.Facts.Layout.Unit("keycloak")
	overrides, err := h.Overrides(ctx, unit, r.Server.conf())
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, nil // nothing that could be overridden yet
	}
	if err != nil {
		return Plan{}, err
	}
	options := map[string]bool{}
	for _, o := range overrides {
		// Where a file of variables sets it too, taking it out of a drop-in
		// would change nothing.
		if !o.Set.Shared {
			options[o.Option] = true
		}
	}
	if len(options) == 0 {
		return Plan{}, nil
	}
	edits, err := withoutOptions(h, unit, options)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Edits: edits}
	p.Effects, err = r.Server.follow(ctx, h, len(edits) > 0, false, true)
	return p, err
}

// withoutOptions takes options out of a unit's drop-ins, wherever one sets them:
// without the last one, one before it would count.
func withoutOptions(h *host.Host, unit string, options map[string]bool) ([]Edit, error) {
	names, err := h.UnitFiles(unit)
	if err != nil {
		return nil, err
	}
	drop := func(name string) bool {
		option, ok := host.OptionOf(name)
		return ok && options[option]
	}
	var out []Edit
	for _, name := range names {
		if name == systemUnits+"/"+unit {
			continue // written anew by its own remedy
		}
		edits, _, err := stripped(h, name, func(text string) (string, []host.Secret) {
			kept, dropped := unitfile.Without(text, drop)
			return kept, passwordsOf(dropped)
		})
		if err != nil {
			return nil, err
		}
		out = append(out, edits...)
	}
	return out, nil
}

// passwordsOf are the secrets among what variables were set to. The rest is what
// a person has to see who is asked to approve.
func passwordsOf(dropped []unitfile.Assignment) []host.Secret {
	return valuesOf(slices.DeleteFunc(dropped, func(a unitfile.Assignment) bool { return !strings.HasSuffix(a.Name, "_PASSWORD") }))
}
