package rules

import (
	"cmp"
	"path"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/certs"
	"watchdog/probes/dns"
	"watchdog/probes/firewall"
	"watchdog/probes/system"
	"watchdog/remedies"
)

// servicePatience is how long starting or stopping may take. Keycloak's first start
// makes its schema.
var servicePatience = map[string]time.Duration{
	"keycloak": 2 * time.Minute, "postgresql": time.Minute, "nginx": time.Minute,
}

// systemProbes look at the host itself, its services, names, certificates,
// packet filter and backups.
func systemProbes(s Stack) []probes.Probe {
	list := []probes.Probe{
		system.HostName{Public: s.publicNames()},
		system.Hosts{Names: s.leadingNames()},
		system.GAI{},
		system.Sysctl{},
		system.Address{Public: s.Self.Address},
		system.Clock{Peers: s.clockPeers(), ACME: cmp.Or(s.ACME.Server, letsEncrypt)},
		system.Disk{Paths: []string{"/var/log", "/var/lib/watchdog"}, Backups: s.Backups.Dir, Keep: s.Backups.Keep},
		system.Secrets{},
		dns.Zone{Names: s.zoneNames()},
		firewall.Rules{
			Public: s.Self.Address, Table: "watchdog_edge",
			Open: []uint16{443}, Allowed: append([]uint16{80, 443}, s.Firewall.Allow...),
			SSH: len(s.Firewall.Admin) == 0,
		},
		system.Backups{Dir: s.Backups.Dir, MaxAge: s.Backups.MaxAge}, system.BackupRead{Dir: s.Backups.Dir},
	}
	for _, name := range []string{"postgresql", "keycloak", "nginx", "certbot-timer", "watchdog-firewall", "watchdog-backup-timer"} {
		list = append(list, system.Service{Name: name, Boot: true, Patience: servicePatience[name]})
	}
	return append(list, s.certProbes()...)
}

// certProbes follow the certificate from certbot to the client.
func (s Stack) certProbes() []probes.Probe {
	name, lineage := s.Self.FQDN, s.Lineage()
	return []probes.Probe{
		certs.Lineage{Name: name, Dir: lineage, RenewBefore: s.ACME.RenewBefore},
		certs.Copy{Dir: s.Keycloak.Certs(), Lineage: lineage, User: s.Keycloak.User},
		certs.Served{
			Address: s.KeycloakAddr(), Service: "keycloak", Name: name, RenewBefore: s.ACME.RenewBefore,
			File: path.Join(s.Keycloak.Certs(), "fullchain.pem"), Lineage: path.Join(lineage, "fullchain.pem"),
		},
		certs.Hook{Path: remedies.RenewalHookPath, Text: s.renewalHook().Text()},
		certs.Port80{Public: s.Self.Address, Name: name},
	}
}

// leadingNames are the public names of the site with the addresses that they
// must lead to, seen from this host.
func (s Stack) leadingNames() []system.Name {
	addresses := map[string]Host{}
	for _, h := range s.Hosts {
		addresses[h.Name] = h
	}
	var out []system.Name
	add := func(fqdn string, h Host) {
		known := slices.ContainsFunc(out, func(n system.Name) bool { return n.FQDN == fqdn })
		if fqdn != "" && h.Address.IsValid() && !known {
			out = append(out, system.Name{FQDN: fqdn, Addr: h.Address, Own: h.Name == s.Self.Name})
		}
	}
	for _, h := range s.Hosts {
		add(h.FQDN, h)
	}
	for _, g := range s.Gateways {
		add(g.FQDN, addresses[g.Host])
	}
	return out
}

// letsEncrypt is the directory of certbot's default authority.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// clockPeers are the site's other hosts, by the names that they answer to.
func (s Stack) clockPeers() []system.Peer {
	var out []system.Peer
	for _, n := range s.leadingNames() {
		if !n.Own {
			out = append(out, system.Peer{FQDN: n.FQDN, Addr: n.Addr})
		}
	}
	return out
}

// zoneNames are this host's own public names.
func (s Stack) zoneNames() []dns.Name {
	var out []dns.Name
	for _, n := range s.leadingNames() {
		if n.Own {
			out = append(out, dns.Name{FQDN: n.FQDN, Addr: n.Addr})
		}
	}
	return out
}
