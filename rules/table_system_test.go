package rules

import (
	"slices"
	"strings"
	"testing"
)

// TestSystemCauses holds the graph of the host's own faults: what each drill
// shows up as has one cause, and faults that only meet stay two.
func TestSystemCauses(t *testing.T) {
	const fqdn = "idp.breathtechnology.co.uk"
	for _, c := range []struct{ name, causes, seen string }{
		{"answers dropped", "firewall.return-blocked", "dns.resolver-down " + fqdn},
		{"address gone", "host.address-missing", "dns.resolver-down " + fqdn},
		{"resolver down", "dns.resolver-down " + fqdn, ""},
		{"rules unloaded with their service: the door waits for nothing", "firewall.missing,service.stopped watchdog-firewall", ""},
		{"timer off", "service.disabled certbot-timer", "service.stopped certbot-timer,cert.expiring " + fqdn},
		{"timer stopped", "service.stopped certbot-timer", "cert.expiring " + fqdn},
		{"another timer off", "service.disabled watchdog-backup-timer,cert.expiring " + fqdn, "backup.stale"},
		{"port 80 closed for weeks", "acme.port-80-blocked", "cert.expiring " + fqdn},
		{"no certificate", "cert.missing " + fqdn, "cert.copy-missing pair"},
		{"stale copy, served", "cert.copy-stale pair", "cert.expiring [::1]:8443,cert.name-mismatch [::1]:8443"},
		{"a stale copy does not age the lineage", "cert.copy-stale pair,cert.expiring " + fqdn, ""},
		{"nor does the hook copy", "cert.copy-stale pair,hook.missing", ""},
		{"chain torn in the copy, served", "cert.chain-incomplete fullchain.pem", "issuer.untrusted public,issuer.untrusted local"},
		{"no copy of a torn lineage", "cert.chain-incomplete " + fqdn, "cert.copy-stale pair,cert.copy-missing pair"},
		{"TLS ended by NGINX", "edge.csp-conflict /etc/nginx/conf.d/kc.conf:1", "issuer.untrusted public,issuer.wrong-path public"},
		{"a reload refused", "nginx.running-config-stale", "acme.port-80-blocked,edge.refused"},
		{"a reload refused for a port of ours", "listener.taken 80", "nginx.running-config-stale,acme.port-80-blocked"},
		{"the only dump cut short", "backup.corrupt backup-20261123T023000Z", "backup.missing"},
		{"the newest dump cut short", "backup.corrupt backup-20261123T023000Z", "backup.stale"},
		{"key of another", "cert.key-mismatch pair", "cert.key-mismatch [::1]:8443"},
		{"old pair in memory", "cert.served-stale [::1]:8443", "cert.expiring [::1]:8443,cert.name-mismatch [::1]:8443"},
		{"can't read the new pair", "cert.copy-unreadable pair", "cert.served-stale [::1]:8443"},
		{"disabled, and the host restarted", "service.disabled keycloak", "service.stopped keycloak"},
		{"one disabled, another stopped", "service.disabled keycloak,service.stopped nginx", "acme.port-80-blocked"},
		{"stuck on a full disk", "host.disk-full /var/lib/postgresql/15/main", "service.stuck postgresql,backup.stale"},
		{"a clock that is ahead", "host.clock-skew", "cert.expiring " + fqdn + ",backup.stale,issuer.untrusted local"},
		{"a full disk ends no nginx", "host.disk-full /var/log,service.dead nginx", ""},
		{"gave up on a broken configuration", "nginx.config-invalid /etc/nginx/nginx.conf:3", "service.start-limit-hit nginx"},
	} {
		t.Run(c.name, func(t *testing.T) { wantCauses(t, c.causes, c.seen) })
	}
}

// TestSystemProbes holds that the probes look at what the site says.
func TestSystemProbes(t *testing.T) {
	s := siteForTests()
	s.Gateways = []Gateway{{Name: "ollama", Host: "homer", FQDN: "ollama.breathtechnology.co.uk"}, {Name: "wiki", Host: "idp", FQDN: "wiki.breathtechnology.co.uk"}}
	var own, foreign []string
	for _, n := range s.leadingNames() {
		if n.Own {
			own = append(own, n.FQDN+" "+n.Addr.String())
		} else {
			foreign = append(foreign, n.FQDN+" "+n.Addr.String())
		}
	}
	if got, want := strings.Join(own, ","), "idp.breathtechnology.co.uk 2a02:8012:bc57:cafe::babe,wiki.breathtechnology.co.uk 2a02:8012:bc57:cafe::babe"; got != want {
		t.Errorf("own names %s, want %s", got, want)
	}
	if got, want := strings.Join(foreign, ","), "homer.breathtechnology.co.uk 2a02:8012:bc57:c0d2::babe,ollama.breathtechnology.co.uk 2a02:8012:bc57:c0d2::babe"; got != want {
		t.Errorf("others' names %s, want %s", got, want)
	}
	if n := len(s.zoneNames()); n != len(own) {
		t.Errorf("%d names asked for in the zone, want %d", n, len(own))
	}
	var ids []string
	for _, p := range systemProbes(s) {
		ids = append(ids, p.Spec().ID)
	}
	for _, id := range []string{"host.hosts", "dns.zone", "firewall.rules", "cert.served", "hook.renewal", "backup.age", "service.watchdog-firewall"} {
		if !slices.Contains(ids, id) {
			t.Errorf("no probe %s", id)
		}
	}
}
