package rules

import (
	"slices"
	"strings"
	"testing"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/keycloak"
	"watchdog/probes/postgres"
	"watchdog/probes/system"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

// A server is a made-up PostgreSQL: what probes and remedies ask of it and what
// remedies tell it, in as few words as tell its states apart.
type server struct {
	verifier string // of Keycloak's role; empty when there is no such role
	owner    string // who owns the database
	holder   string // the session that holds the schema lock
}

func (s *server) machine() *remedytest.Machine {
	m := remedytest.New(
		hosttest.Service(host.Unit{Name: "postgresql@15-main.service", State: host.Running, Enabled: true}),
		hosttest.Node(host.SecretDir+"/"+SecretDatabase, remedies.File([]byte("password"), "root", "root", 0o600)),
		hosttest.Rows("FROM pg_database WHERE datname = $1", []string{"1"}), hosttest.Rows("from pg_catalog.pg_database", []string{"keycloak"}),
		hosttest.Rows("not exists (select from pg_authid r", []string{"0"}),
	)
	when := func(is func() bool, row ...string) hosttest.Query {
		return func(string, ...any) ([][]string, error) {
			if !is() {
				return nil, nil
			}
			out := slices.Clone(row)
			if row[1] == "VERIFIER" {
				out[1] = s.verifier
			}
			return [][]string{out}, nil
		}
	}
	there := func() bool { return s.verifier != "" }
	held := func() bool { return s.holder != "" }
	m.Change(
		hosttest.Answer("from pg_catalog.pg_authid", when(there, "true", "VERIFIER", "false")),
		hosttest.Answer("FROM pg_authid WHERE rolname", when(there, "true", "VERIFIER")),
		hosttest.Answer("datname = current_database()", when(func() bool { return s.owner != "keycloak" }, "10", "postgres")),
		hosttest.Answer("databasechangeloglock", when(held, "7321", "2026-11-23 17:22:10+00", "postgres with psql from the socket", "idle in transaction")),
		hosttest.Answer("FROM pg_stat_activity WHERE pid", when(held, "7321", "")),
	)
	m.HandleSQL(func(_, statement string, _ ...any) error {
		switch {
		case strings.Contains(statement, "ROLE \"keycloak\" LOGIN PASSWORD '"):
			_, rest, _ := strings.Cut(statement, "PASSWORD '")
			s.verifier, _, _ = strings.Cut(rest, "'")
		case strings.HasPrefix(statement, "DO "):
			s.owner = "keycloak"
		case strings.HasPrefix(statement, "SELECT pg_terminate_backend"):
			s.holder = ""
		}
		return nil
	})
	return m
}

// TestRemediesHealTheDatabase holds both sides of the database together: what a
// probe finds, the remedy that the book names for it ends.
func TestRemediesHealTheDatabase(t *testing.T) {
	site := siteForTests()
	catalogue := postgres.Catalogue{Role: "keycloak", Database: "keycloak", Secret: SecretDatabase, Backups: site.Backups.Dir}
	list, err := Remedies(site)
	if err != nil {
		t.Fatal(err)
	}
	const stored = "md5f4dcc3b5aa765d61d8327deb882cf99"
	for name, c := range map[string]struct {
		server server
		probe  probes.Probe
		found  []probes.Code
	}{
		"role gone":        {server{owner: "postgres"}, catalogue, []probes.Code{postgres.RoleMissing}},
		"another's tables": {server{verifier: stored, owner: "postgres"}, catalogue, []probes.Code{postgres.NotOwner, postgres.VerifierNotSCRAM}},
		"schema locked":    {server{verifier: stored, owner: "keycloak", holder: "7321"}, keycloak.SchemaLock{Database: "keycloak"}, []probes.Code{keycloak.SchemaLocked}},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.server.machine()
			if got := codesOf(t, c.probe, m); !slices.Equal(got, c.found) {
				t.Fatalf("found %v, want %v", got, c.found)
			}
			mendAs(t, m, append(list, Rungs(site)...), c.found[0], "")
			if got := codesOf(t, c.probe, m); len(got) > 0 {
				t.Errorf("after it found %v", got)
			}
		})
	}
}

// mendAs applies the book's first remedy for a code.
func mendAs(t *testing.T, m *remedytest.Machine, all []remedies.Remedy, code probes.Code, subject string) {
	t.Helper()
	var id string
	for _, r := range Table() {
		if r.Code == code && len(r.Remedies) > 0 {
			id = r.Remedy(0, subject)
		}
	}
	for _, r := range all {
		if r.Spec().ID != id {
			continue
		}
		p, err := r.Plan(t.Context(), m.Host())
		if err == nil {
			err = p.Apply(t.Context(), m, m.Host(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s: no remedy %q", code, id)
}

// TestRemediesTakeMasksOff: a unit of the program's own is there again after its
// file gave way to a mask.
func TestRemediesTakeMasksOff(t *testing.T) {
	list, err := Remedies(siteForTests())
	if err != nil {
		t.Fatal(err)
	}
	for service, unit := range map[string]string{"watchdog-firewall": "watchdog-firewall.service", "watchdog-backup-timer": "watchdog-backup.timer"} {
		file := "/etc/systemd/system/" + unit
		m := remedytest.New(hosttest.Service(host.Unit{Name: unit, State: host.Masked}), hosttest.Link(file, "/dev/null"))
		probe := system.Service{Name: service, Boot: true}
		if got := codesOf(t, probe, m); !slices.Equal(got, []probes.Code{system.ServiceMasked}) {
			t.Fatalf("%s: found %v", service, got)
		}
		mendAs(t, m, list, system.ServiceMasked, service)
		if n := m.Get(file); n == nil || !strings.Contains(string(n.Data), "[Install]") {
			t.Errorf("%s: its file is %v", service, n)
		}
		if got := codesOf(t, probe, m); len(got) > 0 {
			t.Errorf("%s: after it found %v", service, got)
		}
	}
}
