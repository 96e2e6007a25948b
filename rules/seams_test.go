package rules

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/certs"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/system"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// A seam is a machine on which a probe finds something.
type seam struct {
	probe   probes.Probe
	remedy  remedies.Remedy // that the book names for what is found
	machine []hosttest.Option
	found   []probes.Code
	left    []probes.Code // that no remedy is to touch
}

// TestRemediesHealWhatProbesFind holds the judgement of both sides together:
// what a probe finds, the remedy that the book names for it acts on, and after
// it the probe finds that no more.
func TestRemediesHealWhatProbesFind(t *testing.T) {
	all := seams()
	maps.Copy(all, moreSeams())
	maps.Copy(all, keycloakSeams())
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(s.machine...)
			m.Handle("certbot-certonly", func(remedies.Command) ([]byte, error) {
				m.Change(certificates(90*24*time.Hour, 80*24*time.Hour, "")...)
				return nil, nil
			})
			m.Handle("backup-remove", func(c remedies.Command) ([]byte, error) {
				m.Set(c.Args[0], nil)
				m.Change(hosttest.Usage("/", host.Usage{Size: 100 << 30, Free: 50 << 30}))
				return nil, nil
			})
			if got := codesOf(t, s.probe, m); !slices.Equal(got, s.found) {
				t.Fatalf("found %v, want %v", got, s.found)
			}
			for _, r := range Table() {
				named := slices.ContainsFunc(r.Remedies, func(pattern string) bool {
					_, ok := filled(pattern, s.remedy.Spec().ID)
					return ok
				})
				if slices.Contains(s.found, r.Code) && named == slices.Contains(s.left, r.Code) {
					t.Errorf("%s has remedies %v", r.Code, r.Remedies)
				}
			}
			p, err := s.remedy.Plan(t.Context(), m.Host())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Apply(t.Context(), m, m.Host(), nil); err != nil {
				t.Fatal(err)
			}
			if got := codesOf(t, s.probe, m); !slices.Equal(got, s.left) {
				t.Errorf("after %v found %v, want %v", p.Lines(), got, s.left)
			}
		})
	}
}

func codesOf(t *testing.T, p probes.Probe, m *remedytest.Machine) []probes.Code {
	t.Helper()
	found, err := p.Observe(t.Context(), m.Host())
	if err != nil {
		t.Fatal(err)
	}
	var codes []probes.Code
	for _, f := range found {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func seams() map[string]seam {
	s := siteForTests()
	lineage := certs.Lineage{Name: s.Self.FQDN, Dir: s.Lineage(), RenewBefore: s.ACME.RenewBefore}
	order := remedies.CertLineage{Name: s.Self.FQDN, Webroot: s.ACME.Webroot, RenewBefore: s.ACME.RenewBefore}
	chain := remedies.CertChain{Lineage: order, Copy: s.certCopy()}
	const day = 24 * time.Hour
	sysctl := func(routes string) seam {
		return seam{system.Sysctl{}, remedies.Sysctl{}, kernelWith(routes), []probes.Code{system.SysctlDrift}, nil}
	}
	learnt := sysctl("00450003")
	learnt.found = []probes.Code{system.AcceptRANeeded, system.SysctlDrift}
	learnt.left = []probes.Code{system.AcceptRANeeded}
	astray := system.Name{FQDN: "homer.example.org", Addr: netip.MustParseAddr("2001:db8::2")}
	return map[string]seam{
		"another host's name astray": {
			system.Hosts{Names: []system.Name{astray}}, remedies.Hosts{Others: []remedies.HostsLine{{Addr: astray.Addr, Names: []string{astray.FQDN}}}},
			[]hosttest.Option{hosttest.File("/etc/hosts", "192.0.2.7 homer.example.org nas\n")}, []probes.Code{system.HostsWrongAddress}, nil,
		},
		"sysctl, static route": sysctl("00000003"),
		"sysctl, learnt route": learnt,
		"open secrets": {system.Secrets{}, remedies.Secrets{}, []hosttest.Option{
			hosttest.Dir(host.SecretDir),
			hosttest.File(host.SecretDir+"/a", "secret-0"),
			hosttest.Node(host.SecretDir+"/b", remedies.File([]byte("secret-1"), "keycloak", "keycloak", 0o600)),
		}, []probes.Code{system.SecretsOpen}, nil},
		"a full disk": {
			system.Disk{Backups: s.Backups.Dir, Keep: s.Backups.Keep}, remedies.Disk{Backups: s.Backups.Dir, Keep: s.Backups.Keep},
			[]hosttest.Option{hosttest.Dir(s.Backups.Dir + "/backup-20260101T023000Z"), hosttest.Usage("/", host.Usage{Size: 100 << 30})},
			[]probes.Code{system.DiskFull}, nil,
		},
		"certificate runs out":         {lineage, order, certificates(90*day, 20*day, ""), []probes.Code{certs.Expiring}, nil},
		"a short-lived one runs out":   {lineage, order, certificates(6*time.Hour, time.Hour, ""), []probes.Code{certs.Expiring}, nil},
		"half of a short life":         {lineage, order, certificates(6*time.Hour, 3*time.Hour, ""), nil, nil},
		"certificate alone":            {lineage, chain, certificates(90*day, 80*day, "nothing"), []probes.Code{certs.ChainIncomplete}, nil},
		"with somebody else's issuer":  {lineage, chain, certificates(90*day, 80*day, "stranger"), []probes.Code{certs.ChainIncomplete}, nil},
		"torn behind the certificate":  {lineage, chain, certificates(90*day, 80*day, "torn"), []probes.Code{certs.ChainIncomplete}, nil},
		"no certificate where one was": {lineage, order, []hosttest.Option{hosttest.Dir("/var/lib")}, []probes.Code{certs.Missing}, nil},
	}
}

// kernelWith is a new kernel's parameters beside a default route of that kind.
func kernelWith(flags string) []hosttest.Option {
	const nowhere = "00000000000000000000000000000000"
	opts := []hosttest.Option{
		hosttest.File("/proc/net/ipv6_route", nowhere+" 00 "+nowhere+" 00 fe800000000000000000000000000001 00000400 00000002 00000000 "+flags+" eth0\n"),
		hosttest.Addresses(host.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/64")}),
		hosttest.Dir("/etc/sysctl.d"),
	}
	for _, i := range []string{"all", "default", "lo", "eth0", "veth1", "eth0.200"} {
		opts = append(opts, hosttest.File("/proc/sys/net/ipv6/conf/"+i+"/use_tempaddr", "2\n"), hosttest.File("/proc/sys/net/ipv6/conf/"+i+"/accept_ra", "1\n"))
	}
	return opts
}

// certificates is a lineage of the site's whose certificate lives that long, has
// that much left, and has something else than its issuer behind it if asked for.
func certificates(life, left time.Duration, behind string) []hosttest.Option {
	s := siteForTests()
	end := hosttest.Noon.Add(left)
	authority := func(cn string, by *hosttest.Certificate) *hosttest.Certificate {
		return hosttest.Sign(x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true}, by)
	}
	leaf := hosttest.Sign(x509.Certificate{DNSNames: []string{s.Self.FQDN}, NotBefore: end.Add(-life), NotAfter: end}, authority("issuer", authority("root", nil)))
	switch behind {
	case "nothing":
		leaf.Chain = leaf.Chain[:1]
	case "stranger":
		leaf.Chain[1] = authority("stranger", nil).Leaf.Raw
	case "torn":
		leaf.Chain[1] = []byte("torn")
	}
	chain, _ := leaf.PEM()
	return []hosttest.Option{
		hosttest.Dir("/var/lib"), hosttest.File(s.Lineage()+"/fullchain.pem", chain),
		hosttest.File("/etc/letsencrypt/renewal/"+s.Self.FQDN+".conf", "[renewalparams]\nauthenticator = webroot\n"),
	}
}
