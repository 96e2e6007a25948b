package rules

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/certs"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/nginx"
	"watchdog/probes/system"
	"watchdog/remedies"
)

// moreSeams are those of the edge, and of Keycloak's copy of the certificate.
func moreSeams() map[string]seam {
	s := siteForTests()
	edge := nginx.Config{Address: s.Self.Address, Upstream: s.KeycloakAddr(), Webroot: s.ACME.Webroot}
	conf := remedies.NginxEdge{FQDN: s.Self.FQDN, Address: s.Self.Address, Keycloak: s.KeycloakAddr(), Webroot: s.ACME.Webroot}
	const front = "server {\n listen [::]:443 ssl;\n location / { proxy_pass https://[::1]:8443; }\n"
	chain := remedies.CertChain{Lineage: s.certLineage(), Copy: s.certCopy()}
	copied := certs.Copy{Dir: s.Keycloak.Certs(), Lineage: s.Lineage(), User: s.Keycloak.User}
	return map[string]seam{
		"TLS ended under another policy": {
			edge, conf, nginxWith(front + " add_header Content-Security-Policy \"default-src 'self'\";\n}\n"), []probes.Code{nginx.CSPConflict, nginx.RedirectMissing}, nil,
		},
		"TLS ended without one": {edge, conf, nginxWith(front + "}\n"), []probes.Code{nginx.RedirectMissing, nginx.StreamMissing}, nil},
		"nothing of ours":       {edge, conf, nginxWith(""), []probes.Code{nginx.RedirectMissing, nginx.StreamMissing}, nil},
		"a copy without issuer": {copied, chain, copiedWithout(s), []probes.Code{certs.ChainIncomplete}, nil},
	}
}

// nginxWith is an NGINX with one more file in conf.d, which prints its
// configuration as it is then.
func nginxWith(more string) []hosttest.Option {
	on := func(port uint16) host.Listener {
		return host.Listener{Addr: netip.AddrPortFrom(netip.IPv6Unspecified(), port), V6Only: true, PID: 10, Program: "nginx"}
	}
	return []hosttest.Option{
		hosttest.File("/etc/nginx/nginx.conf", "events { }\nhttp { include /etc/nginx/conf.d/*.conf; }\n"),
		hosttest.File("/etc/nginx/conf.d/more.conf", more), hosttest.Dir("/var/lib"),
		hosttest.Unit("nginx.service", host.Stopped), hosttest.Listeners(on(80), on(443)),
		func(m *hosttest.Machine) {
			hosttest.Run("nginx -T", func(...string) ([]byte, error) {
				nodes := m.Nodes()
				names := []string{"/etc/nginx/nginx.conf"}
				for name, n := range nodes {
					if strings.HasPrefix(name, "/etc/nginx/") && n.Mode.IsRegular() && name != names[0] {
						names = append(names, name)
					}
				}
				slices.Sort(names[1:])
				var dump []byte
				for _, name := range names {
					dump = append(dump, "# configuration file "+name+":\n"+string(nodes[name].Data)...)
				}
				return dump, nil
			})(m)
		},
	}
}

// copiedWithout is a lineage and Keycloak's copy of it without its issuer's
// certificate.
func copiedWithout(s Stack) []hosttest.Option {
	authority := func(cn string, by *hosttest.Certificate) *hosttest.Certificate {
		return hosttest.Sign(x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true}, by)
	}
	end := hosttest.Noon.AddDate(0, 0, 80)
	leaf := hosttest.Sign(x509.Certificate{DNSNames: []string{s.Self.FQDN}, NotBefore: end.AddDate(0, 0, -90), NotAfter: end}, authority("issuer", authority("root", nil)))
	whole, key := leaf.PEM()
	lone := whole[:strings.Index(whole, "-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
	keycloaks := func(name string, mode fs.FileMode, data string) hosttest.Option {
		return hosttest.Node(s.Keycloak.Certs()+"/"+name, &host.Node{Mode: mode, Owner: "keycloak", Group: "keycloak", Data: []byte(data)})
	}
	return []hosttest.Option{
		hosttest.File(s.Lineage()+"/fullchain.pem", whole), hosttest.File(s.Lineage()+"/privkey.pem", key),
		hosttest.File("/etc/letsencrypt/renewal/"+s.Self.FQDN+".conf", "[renewalparams]\nauthenticator = webroot\n"),
		keycloaks("", fs.ModeDir|0o750, ""), keycloaks("privkey.pem", 0o600, key), keycloaks("fullchain.pem", 0o640, lone),
	}
}

// TestABackupIsMadeWhereOneIsMissed holds that the remedy has something to do
// exactly where the probes find something.
func TestABackupIsMadeWhereOneIsMissed(t *testing.T) {
	s := siteForTests()
	list, err := Remedies(s)
	if err != nil {
		t.Fatal(err)
	}
	backup := list[slices.IndexFunc(list, func(r remedies.Remedy) bool { return r.Spec().ID == "backup" })]
	made := func(age time.Duration, dump string) hosttest.Option {
		at := hosttest.Noon.Add(-age)
		dir := s.Backups.Dir + "/backup-" + at.Format(host.BackupTime)
		return func(m *hosttest.Machine) {
			hosttest.File(dir+"/"+host.BackupDump, dump)(m)
			// The hash is that of PGDMP.
			hosttest.File(dir+"/manifest.json", `{"made":"`+at.Format(time.RFC3339)+`","verified":true,"files":{"keycloak.dump":{"size":5,"sha256":"b5a26a21290c39819235a235b8ed66b3bd98ed90c8316c8949bfbb7419cac878"}}}`)(m)
		}
	}
	for name, tt := range map[string]struct {
		machine []hosttest.Option
		found   bool
	}{
		"none":                      {nil, true},
		"fresh":                     {[]hosttest.Option{made(time.Hour, "PGDMP")}, false},
		"old":                       {[]hosttest.Option{made(30*time.Hour, "PGDMP")}, true},
		"cut short":                 {[]hosttest.Option{made(time.Hour, "PG")}, true},
		"cut short, a good one too": {[]hosttest.Option{made(time.Hour, "PG"), made(2*time.Hour, "PGDMP")}, true},
		"an older one cut short":    {[]hosttest.Option{made(time.Hour, "PGDMP"), made(2*time.Hour, "PG")}, false},
		"changed":                   {[]hosttest.Option{made(time.Hour, "PGDMQ")}, true},
		"changed, a good one too":   {[]hosttest.Option{made(time.Hour, "PGDMQ"), made(2*time.Hour, "PGDMP")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(tt.machine...)
			found := false
			for _, p := range []probes.Probe{system.Backups{Dir: s.Backups.Dir, MaxAge: s.Backups.MaxAge}, system.BackupRead{Dir: s.Backups.Dir}} {
				f, err := p.Observe(t.Context(), h)
				if err != nil {
					t.Fatal(err)
				}
				found = found || len(f) > 0
			}
			p, err := backup.Plan(t.Context(), h)
			if err != nil {
				t.Fatal(err)
			}
			if found != tt.found || len(p.Steps) > 0 != tt.found {
				t.Errorf("found %t, plan %q; want %t", found, p.Lines(), tt.found)
			}
		})
	}
}
