package remedies_test

import (
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const archive = "/etc/letsencrypt/archive/" + fqdn

func certChain() remedies.CertChain {
	return remedies.CertChain{Lineage: lineage(), Copy: certCopy()}
}

// certbots is a lineage as certbot lays it out, with its second certificate.
func certbots(chain, key string) hosttest.Option {
	end := strings.Index(chain, "-----END CERTIFICATE-----\n") + len("-----END CERTIFICATE-----\n")
	return func(m *hosttest.Machine) {
		for name, data := range map[string]string{"cert": chain[:end], "chain": chain[end:], "fullchain": chain, "privkey": key} {
			hosttest.Node(archive+"/"+name+"2.pem", remedies.File([]byte(data), "root", "root", 0o644))(m)
			hosttest.Node(live+"/"+name+".pem", remedies.Link("../../archive/"+fqdn+"/"+name+"2.pem"))(m)
		}
		hosttest.File(renewal, "[renewalparams]\nauthenticator = webroot\n")(m)
	}
}

func TestCertChain(t *testing.T) {
	ca := newAuthority()
	until := hosttest.Noon.AddDate(0, 2, 0)
	chain, key := ca.issue(until, fqdn)
	other, otherKey := ca.issue(until, fqdn)
	lone := chain[:strings.Index(chain, "-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
	file := func(name, data string) hosttest.Option {
		return hosttest.Node(name, remedies.File([]byte(data), "root", "root", 0o644))
	}
	link := func(name, target string) hosttest.Option { return hosttest.Node(name, remedies.Link(target)) }
	const changedCopy = "change " + copies + "/fullchain.pem"
	for name, tt := range map[string]struct {
		broken []hosttest.Option
		want   []string // the plan's lines; those of an order only begin so
	}{
		"nothing":          {nil, nil},
		"in the copy":      {[]hosttest.Option{file(copies+"/fullchain.pem", lone)}, []string{changedCopy}},
		"through the link": {[]hosttest.Option{file(archive+"/fullchain2.pem", lone)}, []string{"change " + archive + "/fullchain2.pem"}},
		"in both": {
			[]hosttest.Option{file(archive+"/fullchain2.pem", lone), file(copies+"/fullchain.pem", lone)},
			[]string{"change " + archive + "/fullchain2.pem", changedCopy},
		},
		"by another link": {[]hosttest.Option{link(live+"/fullchain.pem", "../../archive/"+fqdn+"/cert2.pem")}, []string{"change " + live + "/fullchain.pem"}},
		"by a file":       {[]hosttest.Option{file(live+"/fullchain.pem", lone)}, []string{"change " + live + "/fullchain.pem"}},
		"its part gone":   {[]hosttest.Option{file(archive+"/fullchain2.pem", lone), file(archive+"/chain2.pem", "gone")}, []string{"order a certificate"}},
		"its part no chain": {
			[]hosttest.Option{file(archive+"/fullchain2.pem", lone), file(archive+"/chain2.pem", "")}, []string{"order a certificate"},
		},
		"laid out otherwise": {[]hosttest.Option{file(live+"/fullchain.pem", lone), file(live+"/cert.pem", lone)}, []string{"order a certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(hosttest.Dir("/var/lib"), certbots(chain, key))
			m.Host().Roots = ca.roots
			mend(t, certCopy(), m)
			m.Change(tt.broken...)
			if content(m, archive+"/chain2.pem") == "gone" {
				m.Set(archive+"/chain2.pem", nil)
			}
			for path, n := range m.Nodes() { // owners as the copy's remedy wants them
				if strings.HasPrefix(path, copies+"/") {
					n.Owner, n.Group, n.Mode = "keycloak", "keycloak", 0o640
					if strings.HasSuffix(path, "privkey.pem") {
						n.Mode = 0o600
					}
					m.Set(path, n)
				}
			}
			m.Handle("certbot-certonly", func(remedies.Command) ([]byte, error) {
				m.Change(certbots(other, otherKey))
				for name, text := range map[string]string{"privkey.pem": otherKey, "fullchain.pem": other} { // the hook
					n := m.Get(copies + "/" + name)
					n.Data = []byte(text)
					m.Set(copies+"/"+name, n)
				}
				return nil, nil
			})
			p := plan(t, certChain(), m)
			for i, line := range p.Lines() {
				if i >= len(tt.want) || !strings.HasPrefix(line, tt.want[i]) {
					t.Errorf("planned %q, want %q", p.Lines(), tt.want)
				}
			}
			if len(p.Lines()) != len(tt.want) {
				t.Fatalf("planned %q, want %q", p.Lines(), tt.want)
			}
			if len(tt.want) == 0 {
				return
			}
			remedytest.Suite(t, certChain(), m, key[30:60])
			mend(t, certChain(), m)
			again(t, certChain(), m)
			again(t, lineage(), m)
			again(t, certCopy(), m)
			for _, served := range []string{archive + "/fullchain2.pem", copies + "/fullchain.pem"} {
				if got := content(m, served); got != chain && got != other {
					t.Errorf("%s holds %q", served, got)
				}
			}
		})
	}
}

// TestCertCopyKeepsAWholeChain: a lineage without its issuer's certificate does
// not get over a copy that has it.
func TestCertCopyKeepsAWholeChain(t *testing.T) {
	ca := newAuthority()
	chain, key := ca.issue(hosttest.Noon.AddDate(0, 2, 0), fqdn)
	m := remedytest.New(certbots(chain, key))
	m.Host().Roots = ca.roots
	mend(t, certCopy(), m)
	m.Set(archive+"/fullchain2.pem", &host.Node{Mode: 0o644, Owner: "root", Group: "root", Data: []byte(chain[:strings.Index(chain, "-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n")})
	if p, err := certCopy().Plan(t.Context(), m.Host()); err == nil {
		t.Errorf("planned %q", p.Lines())
	}
}
