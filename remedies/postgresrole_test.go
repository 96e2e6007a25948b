package remedies_test

import (
	"cmp"
	"errors"
	"regexp"
	"strings"
	"testing"

	"watchdog/probes/format/scram"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const rolePassword = "the-secret-of-the-database"

var (
	role     = remedies.PostgresRole{Role: "keycloak", Secret: "keycloak-db", Database: "keycloak"}
	database = remedies.PostgresDatabase{Database: "keycloak", Owner: "keycloak", Backups: "/var/backups/watchdog"}
)

var (
	setsRole  = regexp.MustCompile(`^(CREATE|ALTER) ROLE "keycloak" LOGIN PASSWORD '(SCRAM-SHA-256\$[^']+)' VALID UNTIL 'infinity'$`)
	makesBase = `CREATE DATABASE "keycloak" OWNER "keycloak" ENCODING 'UTF8' TEMPLATE template0`
)

// server has roles and databases as values: "role" is whether it may log in and
// its verifier, "database" its name, "owner" who owns it instead of the role,
// "orphans" how many sessions there are of a role that is gone.
func server15(state host.UnitState, opts ...hosttest.Option) *remedytest.Machine {
	m := cluster(state, append([]hosttest.Option{
		hosttest.Node(host.SecretDir+"/keycloak-db", remedies.File([]byte(rolePassword), "root", "root", 0o600)),
	}, opts...)...)
	m.Change(
		hosttest.Answer("FROM pg_authid", func(_ string, args ...any) ([][]string, error) {
			if m.Value("role") == "" || args[0] != "keycloak" {
				return nil, nil
			}
			return [][]string{strings.Fields(m.Value("role"))}, nil
		}),
		hosttest.Answer("FROM pg_database", func(_ string, args ...any) ([][]string, error) {
			if m.Value("database") == "" || args[0] != "keycloak" {
				return nil, nil
			}
			return [][]string{{"1"}}, nil
		}),
	)
	m.Change(
		hosttest.Answer("datname = current_database()", func(database string, args ...any) ([][]string, error) {
			if database != "keycloak" || args[0] != "keycloak" || m.Value("owner") == "" {
				return nil, nil
			}
			return [][]string{{"17", m.Value("owner")}}, nil
		}),
		hosttest.Answer("not exists (select from pg_authid r", func(string, ...any) ([][]string, error) {
			return [][]string{{cmp.Or(m.Value("orphans"), "0")}}, nil
		}),
	)
	m.HandleSQL(func(database, statement string, _ ...any) error {
		if database == "keycloak" && strings.HasPrefix(statement, "DO ") {
			if m.Value("role") == "" || strings.Contains(statement, "'{17}'") == (m.Value("owner") == "") {
				return errors.New("refused: " + statement)
			}
			m.SetValue("owner", "")
			m.SetValue("orphans", "")
			return nil
		}
		if statement == makesBase && m.Value("database") == "" {
			m.SetValue("database", "keycloak")
			return nil
		}
		w := setsRole.FindStringSubmatch(statement)
		if w == nil || (w[1] == "CREATE") != (m.Value("role") == "") {
			return errors.New("refused: " + statement)
		}
		if !scram.Verify(w[2], rolePassword) {
			return errors.New("the verifier is of another password")
		}
		// Salts differ each time; what they are good for does not.
		m.SetValue("role", "true "+verifier(rolePassword))
		return nil
	})
	return m
}

func verifier(password string) string {
	v, err := scram.New(password, []byte("0123456789abcdef"), scram.Iterations)
	if err != nil {
		panic(err)
	}
	return v
}

func TestPostgresRole(t *testing.T) {
	right := "true " + verifier(rolePassword)
	for name, was := range map[string]string{
		"none":             "",
		"may not log in":   "false " + verifier(rolePassword),
		"another password": "true " + verifier("another"),
		"md5":              "true md55f4dcc3b5aa765d61d8327deb882cf99",
		"no password":      "true -",
	} {
		t.Run(name, func(t *testing.T) {
			m := server15(host.Running)
			m.SetValue("role", was)
			same(t, "lines", []string{"set login and password of database role keycloak"}, plan(t, role, m).Lines())
			mend(t, role, m)
			same(t, "role", right, m.Value("role"))
			again(t, role, m)
		})
	}
	t.Run("dropped, its things another's", func(t *testing.T) {
		const give = "give database keycloak and its tables to role keycloak, and end sessions that have lost their rights"
		for name, tt := range map[string]struct {
			role, owner, orphans string
			want                 []string
		}{
			"dropped":        {"", "postgres", "4", []string{"set login and password of database role keycloak", give}},
			"restored so":    {right, "postgres", "", []string{give}},
			"sessions alone": {right, "", "2", []string{give}},
		} {
			m := server15(host.Running)
			m.SetValue("database", "keycloak")
			m.SetValue("role", tt.role)
			m.SetValue("owner", tt.owner)
			m.SetValue("orphans", tt.orphans)
			same(t, name, tt.want, plan(t, role, m).Lines())
			mend(t, role, m)
			again(t, role, m)
		}
	})
	t.Run("salts differ", func(t *testing.T) {
		m := server15(host.Running)
		said := map[string]bool{}
		for range 2 {
			m.SetValue("role", "")
			mend(t, role, m)
			said[m.Calls()[len(m.Calls())-1].Said] = true
		}
		if len(said) != 2 {
			t.Error("two verifiers are the same")
		}
	})
}

// TestPostgresWaits: before there is a server, plans can be shown; one that runs
// and does not answer is no reason to plan anything.
func TestPostgresWaits(t *testing.T) {
	none := errors.New("no answer")
	for state, want := range map[host.UnitState][]string{
		host.Absent: {"a running postgresql"}, host.Stopped: {"a running postgresql"}, host.Running: nil, host.Failed: nil,
	} {
		m := server15(state, hosttest.NoDB(none))
		for _, r := range []remedies.Remedy{role, database} {
			p, err := r.Plan(t.Context(), m.Host())
			same(t, r.Spec().ID+" waits while it is "+string(state), want, p.Waits)
			if want == nil && !errors.Is(err, none) {
				t.Errorf("%s while it is %s: error %v", r.Spec().ID, state, err)
			}
			if want != nil && len(p.Steps) != 1 {
				t.Errorf("%s while it is %s shows %q", r.Spec().ID, state, p.Lines())
			}
		}
	}
	m := server15(host.Absent, hosttest.NoDB(none))
	m.Set(host.SecretDir+"/keycloak-db", nil)
	same(t, "waits on a bare host", []string{"secret keycloak-db", "a running postgresql"}, plan(t, role, m).Waits)
}

func TestPostgresDatabase(t *testing.T) {
	m := server15(host.Running, hosttest.Dir("/var/lib"))
	mend(t, database, m)
	same(t, "database", "keycloak", m.Value("database"))
	again(t, database, m)

	t.Run("lost, it is not made anew", func(t *testing.T) {
		m.SetValue("database", "")
		if _, err := database.Plan(t.Context(), m.Host()); err == nil || !strings.Contains(err.Error(), "watchdog backup list") {
			t.Errorf("planned with error %v", err)
		}
		m.SetValue("database", "keycloak")
	})
	t.Run("there from before", func(t *testing.T) {
		m.Set(remedies.DatabaseMade, nil)
		same(t, "done", []string(nil), mend(t, database, m))
		if m.Get(remedies.DatabaseMade) == nil {
			t.Error("it was not kept in mind")
		}
	})
	t.Run("lost with the state directory, and there are dumps", func(t *testing.T) {
		other := server15(host.Running, hosttest.File("/var/backups/watchdog/keycloak.dump", "PGDMP"))
		if _, err := database.Plan(t.Context(), other.Host()); err == nil {
			t.Error("an empty database would be made")
		}
	})
	t.Run("killed before it was kept in mind", func(t *testing.T) {
		other := server15(host.Running, hosttest.Dir("/var/lib"))
		ctx, cancel := other.Strike(t.Context(), remedytest.Fault{Call: 1, Kind: remedytest.CancelAfter})
		defer cancel()
		if err := plan(t, database, other).Apply(ctx, other, other.Host(), nil); err == nil {
			t.Error("applied")
		}
		other.Strike(t.Context(), remedytest.Fault{})
		mend(t, database, other)
		again(t, database, other)
	})
}

// TestPostgresStepsSuite holds role and database to their contract.
func TestPostgresStepsSuite(t *testing.T) {
	m := server15(host.Running, hosttest.Dir("/var/lib"))
	t.Run("role", func(t *testing.T) { remedytest.Suite(t, role, m, rolePassword) })
	t.Run("role that owns nothing", func(t *testing.T) {
		m := server15(host.Running)
		m.SetValue("database", "keycloak")
		m.SetValue("owner", "postgres")
		remedytest.Suite(t, role, m, rolePassword)
	})
	t.Run("database", func(t *testing.T) { remedytest.Suite(t, database, m, rolePassword) })
}
