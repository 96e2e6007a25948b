package remedies_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const copies = "/etc/keycloak/certs"

func kcServer() remedies.KeycloakServer {
	return remedies.KeycloakServer{
		Version: "26.7.0", SHA256: strings.Repeat("0", 64), User: "keycloak", Home: "/opt/keycloak", Dir: "/etc/keycloak",
		Public: "https://" + fqdn, Port: 8443, Mgmt: 9000, Heap: "512m",
		DatabasePort: 5432, Database: "keycloak", Role: "keycloak", Password: "keycloak-db",
	}
}

func certCopy() remedies.CertCopy { return remedies.CertCopy{Name: fqdn, Server: kcServer()} }

func withLineage(chain, key string) hosttest.Option {
	return func(m *hosttest.Machine) {
		hosttest.File(live+"/fullchain.pem", chain)(m)
		hosttest.Node(live+"/privkey.pem", remedies.File([]byte(key), "root", "root", 0o600))(m)
	}
}

func TestCertCopy(t *testing.T) {
	ca := newAuthority()
	chain, key := ca.issue(hosttest.Noon.AddDate(0, 2, 0), fqdn)
	newer, newerKey := ca.issue(hosttest.Noon.AddDate(0, 4, 0), fqdn)
	m := remedytest.New(withLineage(chain, key))
	same(t, "on a bare host", []string{
		"create /etc/keycloak (directory root:keycloak 0750)",
		"create /etc/keycloak/certs (directory keycloak:keycloak 0750)",
		"create /etc/keycloak/certs/privkey.pem (keycloak:keycloak 0600)",
		"create /etc/keycloak/certs/fullchain.pem (keycloak:keycloak 0640)",
	}, plan(t, certCopy(), m).Lines())
	remedytest.Suite(t, certCopy(), m, key)
	mend(t, certCopy(), m)
	same(t, "key", key, content(m, copies+"/privkey.pem"))

	m.Change(withLineage(newer, newerKey))
	p := plan(t, certCopy(), m)
	same(t, "renewed", []string{"change " + copies + "/privkey.pem", "change " + copies + "/fullchain.pem"}, p.Lines())
	remedytest.Suite(t, certCopy(), m, key[30:60], newerKey[30:60])
	mend(t, certCopy(), m)
	again(t, certCopy(), m)

	open := m.Get(copies + "/privkey.pem")
	open.Mode = 0o644
	m.Set(copies+"/privkey.pem", open)
	same(t, "open key", []string{"set " + copies + "/privkey.pem from keycloak:keycloak 0644 to keycloak:keycloak 0600"}, plan(t, certCopy(), m).Lines())
}

// TestCertCopyRefuses: what Keycloak could not serve never gets there.
func TestCertCopyRefuses(t *testing.T) {
	ca := newAuthority()
	until := hosttest.Noon.AddDate(0, 2, 0)
	chain, key := ca.issue(until, fqdn)
	_, otherKey := ca.issue(until, fqdn)
	foreign, foreignKey := ca.issue(until, "other.example.org")
	for name, pair := range map[string][2]string{
		"another key":          {chain, otherKey},
		"another name":         {foreign, foreignKey},
		"an empty certificate": {"", key},
		"an empty key":         {chain, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := remedytest.New(withLineage(pair[0], pair[1]))
			if p, err := certCopy().Plan(t.Context(), m.Host()); err == nil {
				t.Errorf("planned %q", p.Lines())
			}
		})
	}
}

// TestCertCopyWaits: before there is a lineage a plan can be shown, not done.
func TestCertCopyWaits(t *testing.T) {
	p := plan(t, certCopy(), remedytest.New())
	same(t, "waits", []string{"a certificate for " + fqdn}, p.Waits)
}

func renewalHook() remedies.RenewalHook { return remedies.RenewalHook{Name: fqdn, Server: kcServer()} }

func TestRenewalHook(t *testing.T) {
	m := remedytest.New()
	remedytest.Suite(t, renewalHook(), m)
	mend(t, renewalHook(), m)
	if n := m.Get(remedies.RenewalHookPath); n == nil || n.Mode != 0o755 || n.Owner != "root" {
		t.Errorf("hook is %+v", n)
	}
	n := m.Get(remedies.RenewalHookPath)
	n.Mode = 0o644
	m.Set(remedies.RenewalHookPath, n)
	same(t, "not executable", []string{"set " + remedies.RenewalHookPath + " from root:root 0644 to root:root 0755"}, plan(t, renewalHook(), m).Lines())
}

// TestRenewalHookOfTheGuide: the guide's own hook, which restarts Keycloak at
// each renewal, goes; anybody else's stays.
func TestRenewalHookOfTheGuide(t *testing.T) {
	const guide = "/etc/letsencrypt/renewal-hooks/deploy/20-keycloak-copy-restart.sh"
	const text = "#!/bin/sh\ninstall \"$LINEAGE/privkey.pem\" /etc/keycloak/certs/privkey.pem\nsystemctl restart keycloak\n"
	m := remedytest.New(hosttest.File(guide, text), hosttest.File("/etc/letsencrypt/renewal-hooks/deploy/10-mine", "systemctl restart keycloak\n"))
	mend(t, renewalHook(), m)
	same(t, "the guide's", "(none)", content(m, guide))
	same(t, "mine", "systemctl restart keycloak\n", content(m, "/etc/letsencrypt/renewal-hooks/deploy/10-mine"))
	m.Change(hosttest.File(guide, "#!/bin/sh\nlogger renewed\n"))
	again(t, renewalHook(), m)
}

// TestRenewalHookRuns runs the hook itself, as certbot does.
func TestRenewalHookRuns(t *testing.T) {
	dir := t.TempDir()
	script := hookFor(t, dir)
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name, want string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	run := func(lineage string) error {
		c := exec.Command("sh", "-s")
		c.Stdin = strings.NewReader(script)
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "RENEWED_LINEAGE=" + lineage}
		return c.Run()
	}
	ours := filepath.Join(dir, "letsencrypt/live", fqdn)
	write("keycloak/certs/privkey.pem", "old key")
	write("keycloak/certs/fullchain.pem", "old chain")
	write("letsencrypt/live/"+fqdn+"/privkey.pem", "new key")

	if err := run(ours); err == nil {
		t.Error("a lineage without a certificate is no failure")
	}
	has("keycloak/certs/privkey.pem", "old key")
	write("letsencrypt/live/"+fqdn+"/fullchain.pem", "new chain")
	for _, other := range []string{"", ours + "-0001"} {
		if err := run(other); err != nil {
			t.Errorf("renewal of %q: %v", other, err)
		}
		has("keycloak/certs/privkey.pem", "old key")
	}
	if err := run(ours); err != nil {
		t.Error(err)
	}
	has("keycloak/certs/privkey.pem", "new key")
	has("keycloak/certs/fullchain.pem", "new chain")
	for name, want := range map[string]os.FileMode{"privkey.pem": 0o600, "fullchain.pem": 0o640} {
		if fi, err := os.Stat(filepath.Join(dir, "keycloak/certs", name)); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, fi, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "keycloak/certs/.*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// hookFor is the hook for files below dir, which are the tester's own.
func hookFor(t *testing.T, dir string) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("/etc/", dir+"/", "-o keycloak", "-o "+me.Username, "-g keycloak", "-g "+group.Name).Replace(renewalHook().Text())
}
