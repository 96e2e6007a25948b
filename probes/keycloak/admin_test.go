package keycloak

import (
	"errors"
	"strings"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func TestAdmins(t *testing.T) {
	const (
		ask  = "journalctl -u keycloak.service -o json -n 500 --since -60s -q --no-pager"
		slow = "journalctl -u keycloak.service -o json -n 500 --since -300s -q --no-pager"
	)
	user := func(name, enabled, can, reason string, realm ...string) []string {
		if realm == nil {
			realm = []string{"false", "60"}
		}
		return append([]string{"id-" + name, name, enabled, can, reason}, realm...)
	}
	are := func(rows ...[]string) []hosttest.Option { return []hosttest.Option{hosttest.Rows("'master'", rows...)} }
	event := func(who, why string) string {
		return `2026-11-23 17:28:06,967 WARN  [org.keycloak.events] (executor-thread-4) type="LOGIN_ERROR", realmId="390a3d78", realmName="master", clientId="admin-cli", userId="id-` +
			who + `", ipAddress="0:0:0:0:0:0:0:1", error="` + why + `", auth_method="openid-connect", username="` + who + `"` + "\n"
	}
	guarded := func(command, events string, rows ...[]string) []hosttest.Option {
		return append(are(rows...), hosttest.Output(command, journal("1", events)))
	}
	const (
		locked = "user_temporarily_disabled"
		wrong  = "invalid_user_credentials"
	)
	out := []string{"admin.locked-out master"}
	probetest.Suite{
		Probe: Admins{Service: "keycloak", Database: "keycloak"},
		Cases: map[string]probetest.Case{
			"one":                     {Host: are(user("director", "true", "true", ""))},
			"one of two":              {Host: are(user("director", "false", "true", ""), user("second", "true", "true", ""))},
			"disabled":                {Host: are(user("director", "false", "true", "")), Want: out, Says: []string{"user director of realm master", "disabled"}},
			"locked for good":         {Host: are(user("director", "false", "true", "permanentLockout", "true", "60")), Want: out, Says: []string{"disabled: permanentLockout"}},
			"no password":             {Host: are(user("director", "true", "false", "")), Want: out, Says: []string{"nothing to log in by"}},
			"none":                    {Host: are(), Want: out, Says: []string{"a user with role admin", "none"}},
			"many":                    {Host: are(many(user)...), Want: out},
			"wrong passwords":         {Host: guarded(ask, event("director", wrong), user("director", "true", "true", "", "true", "60"))},
			"locked for a while":      {Host: guarded(ask, event("director", wrong)+event("director", locked), user("director", "true", "true", "", "true", "60")), Want: out, Says: []string{"refused at 2026-11-23 17:28:06 from 0:0:0:0:0:0:0:1"}},
			"locked for longer":       {Host: guarded(slow, event("director", locked), user("director", "true", "true", "", "true", "300")), Want: out},
			"locked, and no more":     {Host: guarded(ask, event("director", locked)+event("director", wrong), user("director", "true", "true", "", "true", "60"))},
			"one of two locked":       {Host: guarded(ask, event("director", locked), user("director", "true", "true", "", "true", "60"), user("second", "true", "true", "", "true", "60"))},
			"both":                    {Host: guarded(ask, event("director", locked)+event("second", locked), user("director", "true", "true", "", "true", "60"), user("second", "true", "true", "", "true", "60")), Want: out},
			"one locked, one off":     {Host: guarded(ask, event("director", locked), user("director", "true", "true", "", "true", "60"), user("second", "false", "true", "", "true", "60")), Want: out},
			"a user of another realm": {Host: guarded(ask, event("alice", locked), user("director", "true", "true", "", "true", "60"))},
			"no database":             {Host: []hosttest.Option{hosttest.NoDB(errors.New("no server"))}, Err: "no server"},
			"no journal":              {Host: are(user("director", "true", "true", "", "true", "60")), Err: "journalctl"},
		},
	}.Run(t)
}

// many are more administrators than are shown, all disabled.
func many(user func(name, enabled, can, reason string, realm ...string) []string) [][]string {
	var out [][]string
	for _, n := range []string{"a", "b", "c", "d", "e", strings.Repeat("f", 300), "g"} {
		out = append(out, user(n, "false", "true", ""))
	}
	return out
}
