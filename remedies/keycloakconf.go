package remedies

import (
	"context"
	"slices"
	"time"

	"watchdog/probes/host"
)

// KeycloakConf writes everything that Keycloak is started with: keycloak.conf
// in the dialect of the installed version, and its unit. When an option changed
// that is built in, or went away, Keycloak is built again, which takes twenty
// seconds and leaves the running server alone; whatever changed, it is
// restarted once, which takes eight.
//
// Bootstrap credentials that somebody left in a drop-in or a file of variables
// are taken out. They do nothing any more, so that alone restarts nothing.
type KeycloakConf struct{ Server KeycloakServer }

// Spec implements [Remedy].
func (r KeycloakConf) Spec() Spec {
	return Spec{
		ID: "keycloak.conf", Summary: "write Keycloak's configuration and unit", Risk: Outage,
		Timeout: 6 * time.Minute, Services: []string{"keycloak"}, NeedsSecret: true,
	}
}

// Plan implements [Remedy].
func (r KeycloakConf) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	s := r.Server
	version, err := s.installed(h)
	if err != nil {
		return Plan{}, err
	}
	tree, err := s.tree(h)
	if err != nil {
		return Plan{}, err
	}
	secrets, waits, err := secretsOf(h, s.Password)
	if err != nil {
		return Plan{}, err
	}
	dirs, err := s.dirs(h)
	if err != nil {
		return Plan{}, err
	}
	settings, err := s.settings(h, tree, version, secrets[0])
	if err != nil {
		return Plan{}, err
	}
	units, variables, err := withoutBootstrap(h)
	if err != nil {
		return Plan{}, err
	}
	build, err := Converge(h, tree+"/watchdog-build", File(s.built(version), "root", "root", 0o644))
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Waits: waits, Edits: slices.Concat(dirs, settings, units, variables, build)}
	if len(settings) > 0 {
		p.Gates = []Gate{version.gate()}
	}
	p.Effects, err = s.follow(ctx, h, touchesUnits(settings) || len(units) > 0, len(build) > 0, len(settings) > 0)
	return p, err
}

// settings are the edits of what the server is started with.
func (s KeycloakServer) settings(h *host.Host, tree string, version kcRelease, password host.Secret) ([]Edit, error) {
	conf, err := Converge(h, s.conf(), File(s.render(version, password.Reveal()), "root", s.User, 0o640), hidden(h, s, password)...)
	if err != nil {
		return nil, err
	}
	// kc.sh reads the file below its own directory, whoever calls it.
	link, err := Converge(h, tree+"/conf/keycloak.conf", Link(s.conf()))
	if err != nil {
		return nil, err
	}
	unit, err := s.unit(h)
	return slices.Concat(conf, link, unit), err
}

// follow lists what makes the running server follow, each at most once.
func (s KeycloakServer) follow(ctx context.Context, h *host.Host, reread, build, restart bool) ([]Effect, error) {
	var out []Effect
	unit := h.Facts.Layout.Unit("keycloak")
	if reread && h.Facts.Init == host.Systemd {
		out = append(out, Do{Verb: Reread})
	}
	if build {
		out = append(out, Call{Command: Command{Name: "kc-build"}, What: "build Keycloak"})
	}
	if !build && !restart {
		return out, nil
	}
	u, err := h.Init.Unit(ctx, unit)
	if err != nil {
		return nil, err
	}
	if u.State == host.Failed { // perhaps once too often for another start
		out = append(out, Do{Verb: ResetFailed, Unit: unit})
	}
	// Restart starts what is stopped.
	return append(out, Do{Verb: Restart, Unit: unit, Ready: s.Ready}), nil
}

// hidden lists the passwords to keep out of keycloak.conf's diff: the one to
// write, and the one that stands there now.
func hidden(h *host.Host, s KeycloakServer, password host.Secret) []host.Secret {
	out := []host.Secret{password}
	if data, err := h.FS.ReadFile(s.conf()); err == nil {
		out = append(out, passwordsIn(data)...)
	}
	return out
}
