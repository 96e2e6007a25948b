package remedies_test

import (
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func withSecret(name, value string) hosttest.Option {
	return hosttest.Node(host.SecretDir+"/"+name, remedies.File([]byte(value), "root", "root", 0o600))
}

func TestSecrets(t *testing.T) {
	m := remedytest.New(hosttest.Node(host.SecretDir, remedies.Directory("root", "root", 0o700)), withSecret("old", "kept-as-it-is"))
	r := remedies.Secrets{Names: []string{"old", "new"}}
	same(t, "lines", []string{"generate secret new"}, plan(t, r, m).Lines())
	mend(t, r, m)
	again(t, r, m)
	same(t, "old", "kept-as-it-is", content(m, host.SecretDir+"/old"))
	n := m.Get(host.SecretDir + "/new")
	if n == nil || n.Mode != 0o600 || n.Owner != "root" || len(n.Data) < 43 {
		t.Errorf("new secret is %+v", n)
	}
}

// TestSecretsOpen: a secret that others could read is closed, and stays the
// same.
func TestSecretsOpen(t *testing.T) {
	m := remedytest.New(
		hosttest.Node(host.SecretDir, remedies.Directory("root", "root", 0o755)),
		hosttest.File(host.SecretDir+"/open", "open-secret-0"),
		hosttest.Node(host.SecretDir+"/given", remedies.File([]byte("given-secret-0"), "keycloak", "keycloak", 0o600)),
	)
	r := remedies.Secrets{Names: []string{"open"}}
	remedytest.Suite(t, r, m)
	mend(t, r, m)
	again(t, r, m)
	for name, want := range map[string]string{"open": "open-secret-0", "given": "given-secret-0"} {
		got, err := m.Host().Secret(name)
		if err != nil || got.Reveal() != want {
			t.Errorf("secret %s: %v", name, err)
		}
	}
}
