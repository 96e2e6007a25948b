package rules

import (
	"fmt"
	"slices"

	"watchdog/probes"
	"watchdog/remedies"
)

// Table is the whole book, in the order of its layers.
func Table() []Rule {
	return slices.Concat(
		hostTable, serviceTable, dnsTable, certTable,
		postgresTable, keycloakTable, edgeTable,
		firewallTable, backupTable, driftTable, selfTable,
	)
}

// Probes returns the eyes of a host: what its roles call for.
func Probes(s Stack) []probes.Probe {
	if !s.Self.Has(RoleKeycloak) {
		return nil
	}
	return slices.Concat(systemProbes(s), keycloakProbes(s), selfProbes())
}

// installOrder is the order in which a bare host becomes one of the site: each
// part stands on those before it. The firewall comes before anything listens.
var installOrder = []string{
	"system.hostname", "system.hosts", "system.gai", "system.sysctl", "system.address",
	"packages", "secrets", "firewall", "service.watchdog-firewall",
	"nginx.conf", "service.nginx",
	"certs.lineage", "service.certbot-timer",
	"postgresql.conf", "postgres.hba", "service.postgresql", "postgres.role", "postgres.database",
	"keycloak.user", "keycloak.dist", "certs.copy", "certs.hook",
	"keycloak.conf", "keycloak.env", "service.keycloak", "keycloak.admin", "realm",
	"backup", "service.watchdog-backup-timer", "self",
}

// Remedies returns what makes this host one of the site, in install order.
func Remedies(s Stack) ([]remedies.Remedy, error) {
	if !s.Self.Has(RoleKeycloak) {
		return nil, fmt.Errorf("install %s: of its roles %v this version installs none; it installs %s", s.Self.Name, s.Self.Roles, RoleKeycloak)
	}
	list := slices.Concat(systemRemedies(s), keycloakRemedies(s))
	slices.SortStableFunc(list, func(a, b remedies.Remedy) int {
		return slices.Index(installOrder, a.Spec().ID) - slices.Index(installOrder, b.Spec().ID)
	})
	return list, nil
}

// Rungs returns the remedies that heal and install nothing: the further rungs of
// the ladders, what mends a part of what another installs, what clears away, and
// what ends what is in the way.
func Rungs(s Stack) []remedies.Remedy {
	rungs := append(restartRemedies(s), remedies.NginxReload{}, remedies.CertChain{Lineage: s.certLineage(), Copy: s.certCopy()}, spaceRemedy(s))
	if s.Self.Has(RoleKeycloak) {
		rungs = append(rungs, remedies.SchemaLock{Database: s.Postgres.Database})
	}
	return rungs
}
