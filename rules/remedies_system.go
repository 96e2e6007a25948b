package rules

import (
	"slices"
	"time"

	"watchdog/remedies"
)

// stopGrace is how long a hung service may take to stop before it is killed:
// longer than a healthy Keycloak or PostgreSQL takes.
const stopGrace = 10 * time.Second

// systemRemedies are those of the system, its packages, the firewall, NGINX and
// PostgreSQL, in the order of installation.
func systemRemedies(s Stack) []remedies.Remedy {
	issuer := s.Self.Has(RoleKeycloak)
	firewall := remedies.Firewall{Public: append([]uint16{80, 443}, s.Firewall.Allow...), Admin: s.Firewall.Admin}
	all := []remedies.Remedy{
		remedies.Hostname{Name: s.Self.Name, Public: s.publicNames()},
		remedies.Hosts{Lines: []remedies.HostsLine{{Addr: s.Self.Address, Names: s.ownNames()}}, Others: s.otherNames()},
		remedies.GAI{},
		remedies.Sysctl{},
		remedies.Address{Addr: s.Self.Address, Interface: s.Network.Interface, Prefix: s.Network.Prefix},
		remedies.PackageSet{Uses: s.uses()},
		firewall,
		remedies.Service{Name: "watchdog-firewall", Risk: remedies.Harmless, UnitFile: firewall.UnitFile},
	}
	if issuer {
		all = append(all, remedies.NginxEdge{FQDN: s.Self.FQDN, Address: s.Self.Address, Keycloak: s.KeycloakAddr(), Webroot: s.ACME.Webroot})
	}
	all = append(all,
		remedies.Service{Name: "nginx", Risk: remedies.Blip},
		remedies.Service{Name: "certbot-timer", Risk: remedies.Harmless},
	)
	if issuer {
		keycloak := s.keycloakServer()
		all = append(all,
			remedies.PostgresConf{},
			remedies.PostgresHBA{},
			remedies.Service{Name: "postgresql", Risk: remedies.Blip, Ready: remedies.PostgresReady},
			remedies.PostgresRole{Role: s.Postgres.Role, Secret: SecretDatabase, Database: s.Postgres.Database},
			remedies.PostgresDatabase{Database: s.Postgres.Database, Owner: s.Postgres.Role, Backups: s.Backups.Dir},
			remedies.Service{Name: "keycloak", Risk: remedies.Blip, Ready: keycloak.Ready, UnitFile: keycloak.UnitFile},
			remedies.Service{Name: "watchdog-backup-timer", Risk: remedies.Harmless, UnitFile: s.Backup().TimerFile},
		)
	}
	return all
}

// spaceRemedy makes room on a full disk. It belongs to no installation: with room
// left there is nothing to do.
func spaceRemedy(s Stack) remedies.Remedy {
	return remedies.Disk{Backups: s.Backups.Dir, Keep: s.Backups.Keep}
}

// restartRemedies are the second rungs "service.NAME.restart". Their plans are
// never empty: they belong to no installation and find no drift.
func restartRemedies(s Stack) []remedies.Remedy {
	var all []remedies.Remedy
	for _, r := range systemRemedies(s) {
		first, ok := r.(remedies.Service)
		if !ok {
			continue
		}
		again := remedies.ServiceRestart{Name: first.Name, Risk: first.Risk, Grace: stopGrace, Ready: first.Ready}
		if first.Name == "postgresql" || first.Name == "keycloak" {
			again.Risk = remedies.Outage // nobody logs in meanwhile
		}
		all = append(all, again)
	}
	return all
}

// uses lists what the host's packages are for.
func (s Stack) uses() []string {
	if s.Self.Has(RoleKeycloak) {
		return []string{"postgresql", "nginx", "certbot", "nftables", "java"}
	}
	return []string{"nginx", "certbot", "nftables"}
}

// publicNames are the names of the site that have AAAA records.
func (s Stack) publicNames() []string {
	var names []string
	for _, h := range s.Hosts {
		names = append(names, h.FQDN)
	}
	for _, g := range s.Gateways {
		names = append(names, g.FQDN)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

// otherNames are the public names of the site's other hosts.
func (s Stack) otherNames() []remedies.HostsLine {
	var out []remedies.HostsLine
	for _, n := range s.leadingNames() {
		if !n.Own {
			out = append(out, remedies.HostsLine{Addr: n.Addr, Names: []string{n.FQDN}})
		}
	}
	return out
}

// ownNames are those that mean this host: its public ones, and the short one
// last.
func (s Stack) ownNames() []string {
	names := []string{s.Self.FQDN}
	for _, g := range s.Gateways {
		if g.Host == s.Self.Name && !slices.Contains(names, g.FQDN) {
			names = append(names, g.FQDN)
		}
	}
	return append(slices.DeleteFunc(names, func(n string) bool { return n == "" }), s.Self.Name)
}
