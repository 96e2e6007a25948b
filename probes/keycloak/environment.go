package keycloak

import (
	"context"
	"fmt"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// An Environment looks for variables that count more to Keycloak than its
// configuration file: then the file says one thing and the server does another,
// or will at its next start.
type Environment struct {
	Service string // "keycloak"
	Conf    string // "/etc/keycloak/keycloak.conf"
}

// Spec implements [probes.Probe].
func (e Environment) Spec() probes.Spec {
	return probes.Spec{
		ID:      "keycloak.environment",
		Summary: "no variable of its unit overrides Keycloak's configuration file",
		Codes:   []probes.Code{EnvOverridesFile, EnvFileOverrides},
		Every:   30 * time.Second,
		Timeout: timeout,
		Wakes: []probes.Wake{
			{Kind: probes.WakeUnit, Name: e.Service},
			{Kind: probes.WakeFile, Name: e.Conf},
			{Kind: probes.WakeFile, Name: host.SystemUnits + "/" + e.Service + ".service.d/override.conf"},
		},
	}
}

// Observe implements [probes.Probe]. Without the configuration file it could not
// look.
func (e Environment) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	unit := h.Facts.Layout.Unit(e.Service)
	all, err := h.Overrides(ctx, unit, e.Conf)
	if err != nil {
		return nil, err
	}
	var found []probes.Finding
	for _, o := range all {
		found = append(found, e.found(unit, o))
	}
	return found, ctx.Err()
}

func (e Environment) found(unit string, o host.Override) probes.Finding {
	f := probes.Finding{Code: EnvOverridesFile, Subject: o.Option, Summary: "a drop-in's " + o.Set.Name + " overrides " + o.Key + " of keycloak.conf"}
	command := "systemctl cat " + unit + " | grep -n KC"
	if o.Set.Shared {
		f.Code, f.Summary = EnvFileOverrides, "in a file of variables "+o.Set.Name+" overrides "+o.Key+" of keycloak.conf"
		command = "grep -n KC " + o.Set.File
	}
	source := fmt.Sprintf("%s:%d", o.Set.File, o.Set.Line)
	if o.Running {
		f.Summary = "Keycloak still runs with " + o.Set.Name + ", which overrides " + o.Key + " of keycloak.conf"
		source, command = o.Set.File, "tr '\\0' '\\n' < "+o.Set.File+" | grep ^KC"
	}
	want := o.Key + "=" + o.Want + " of " + e.Conf
	if o.Key == "" {
		f.Summary = o.Set.Name + " makes Keycloak read another file than keycloak.conf"
		want = o.Want
	}
	got := o.Set.Name + "=" + o.Set.Value
	if strings.HasSuffix(o.Key, "password") { // a secret on both sides, and whoever asks can look
		want, got = o.Key+" of "+e.Conf, o.Set.Name+" with another value"
	}
	f.Evidence = []probes.Evidence{{
		Source: source, Want: clip(unsecret(want), 300), Got: clip(unsecret(got), 300), Command: command,
	}}
	return f
}
