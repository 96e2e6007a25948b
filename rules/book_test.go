package rules

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/remedies"
)

// siteForTests is the guide's site, seen from its identity host.
func siteForTests() Stack {
	idp := Host{Name: "idp", FQDN: "idp.breathtechnology.co.uk", Address: netip.MustParseAddr("2a02:8012:bc57:cafe::babe"), Roles: []Role{RoleKeycloak}}
	homer := Host{Name: "homer", FQDN: "homer.breathtechnology.co.uk", Address: netip.MustParseAddr("2a02:8012:bc57:c0d2::babe"), Roles: []Role{RoleOllama}}
	return Stack{
		Domain: "breathtechnology.co.uk", Hosts: []Host{idp, homer}, Self: idp,
		ACME:     ACME{Webroot: "/var/lib/acme-webroot", RenewBefore: 21 * 24 * time.Hour},
		Postgres: Postgres{Database: "keycloak", Role: "keycloak", Port: 5432},
		Keycloak: Keycloak{Version: "26.7.0", User: "keycloak", Home: "/opt/keycloak", Dir: "/etc/keycloak", Port: 8443, Mgmt: 9000, Heap: "512m", AdminUser: "director"},
		Realm:    Realm{Name: "breath"},
		Backups:  Backups{Dir: "/var/backups/watchdog", Keep: 14 * 24 * time.Hour, MaxAge: 26 * time.Hour, At: "02:30"},
	}
}

// everything returns the parts that the tests hold together.
func everything(t *testing.T) ([]Rule, []probes.Probe, map[string]remedies.Remedy) {
	t.Helper()
	s := siteForTests()
	list, err := Remedies(s)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]remedies.Remedy{}
	for _, r := range append(list, Rungs(s)...) {
		if id := r.Spec().ID; byID[id] != nil {
			t.Errorf("two remedies %s", id)
		} else {
			byID[id] = r
		}
	}
	return Table(), append(Probes(s), Drift{list}), byID
}

func TestEveryCodeHasOneRowAndEveryRowAProbe(t *testing.T) {
	table, ps, _ := everything(t)
	rows, told := map[probes.Code]int{}, map[probes.Code]bool{}
	for _, r := range table {
		rows[r.Code]++
	}
	for _, p := range ps {
		for _, c := range p.Spec().Codes {
			told[c] = true
			if rows[c] == 0 {
				t.Errorf("%s may find %s, which has no row", p.Spec().ID, c)
			}
		}
	}
	for c, n := range rows {
		if n > 1 {
			t.Errorf("%s has %d rows", c, n)
		}
		if !told[c] {
			t.Errorf("%s has a row, and no probe tells of it", c)
		}
	}
}

func TestProbeIDsAreUnique(t *testing.T) {
	_, ps, _ := everything(t)
	seen := map[string]bool{}
	for _, p := range ps {
		s := p.Spec()
		if seen[s.ID] {
			t.Errorf("two probes %s", s.ID)
		}
		seen[s.ID] = true
		if s.Every <= 0 || s.Timeout <= 0 || s.Timeout > 10*time.Second || s.Summary == "" {
			t.Errorf("%s: every %s, timeout %s, summary %q", s.ID, s.Every, s.Timeout, s.Summary)
		}
	}
}

func TestRows(t *testing.T) {
	table, _, byID := everything(t)
	rows := map[probes.Code]Rule{}
	for _, r := range table {
		rows[r.Code] = r
	}
	for _, r := range table {
		if len(r.Title) == 0 || len(r.Title) > 60 {
			t.Errorf("%s: title of %d characters", r.Code, len(r.Title))
		}
		if len(r.Explain) < 40 || r.Severity.rank() < 0 || r.Severity == "" {
			t.Errorf("%s: explain %q, severity %q", r.Code, r.Explain, r.Severity)
		}
		if len(r.Remedies) == 0 && len(r.Fix) == 0 && r.Scope != There && len(r.DependsOn) == 0 {
			t.Errorf("%s: nothing heals it and nothing says what a person does", r.Code)
		}
		for _, e := range r.DependsOn {
			if _, ok := rows[e.Code]; !ok {
				t.Errorf("%s depends on %s, which has no row", r.Code, e)
			}
		}
		for _, id := range r.Remedies {
			if strings.Contains(id, "{subject}") {
				continue // judged per service below
			}
			m := byID[id]
			if m == nil {
				t.Errorf("%s: no remedy %s", r.Code, id)
				continue
			}
			if m.Spec().Risk >= remedies.DataLoss && (Policy{}).ModeOf(r) == Auto {
				t.Errorf("%s: %s may lose data and runs by itself", r.Code, id)
			}
		}
	}
}

func TestServiceRowsHaveARemedyForEachService(t *testing.T) {
	table, ps, byID := everything(t)
	for _, p := range ps {
		service, ok := strings.CutPrefix(p.Spec().ID, "service.")
		if !ok {
			continue
		}
		for _, r := range table {
			if !slices.Contains(p.Spec().Codes, r.Code) {
				continue
			}
			for _, id := range r.Remedies {
				if id := fill(id, service); byID[id] == nil {
					t.Errorf("%s of %s: no remedy %s", r.Code, service, id)
				}
			}
		}
	}
}

// TestNoCycles walks the graph from every row with every subject that some edge
// names: a fault that explains itself would never be a cause.
func TestNoCycles(t *testing.T) {
	table, ps, _ := everything(t)
	b := NewBook(table, ps, nil)
	subjects := map[probes.Code][]string{}
	for _, r := range table {
		subjects[r.Code] = append(subjects[r.Code], "")
	}
	for _, r := range table {
		for _, e := range r.DependsOn {
			if e.Subject != "" && !strings.Contains(e.Subject, "{") {
				subjects[e.Code] = append(subjects[e.Code], e.Subject)
			}
			if e.When != "" {
				subjects[r.Code] = append(subjects[r.Code], e.When)
			}
		}
	}
	for code, subs := range subjects {
		for _, sub := range subs {
			from := On(code, sub)
			visited := map[Ref]bool{}
			var walk func(at Ref, path []Ref)
			walk = func(at Ref, path []Ref) {
				for _, e := range b.edges(at) {
					e = plain(e)
					if e.Code == from.Code && (e.Subject == from.Subject || e.Subject == "") {
						t.Errorf("cycle: %v -> %s", append(path, at), e)
						return
					}
					if !visited[e] {
						visited[e] = true
						walk(e, append(path, at))
					}
				}
			}
			walk(from, nil)
		}
	}
}

func TestInstallOrderIsComplete(t *testing.T) {
	s := siteForTests()
	list, err := Remedies(s)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, r.Spec().ID)
		if r.Spec().Timeout <= 0 || r.Spec().Summary == "" {
			t.Errorf("%s: timeout %s, summary %q", r.Spec().ID, r.Spec().Timeout, r.Spec().Summary)
		}
	}
	for i, id := range ids[1:] {
		if slices.Index(installOrder, ids[i]) > slices.Index(installOrder, id) {
			t.Errorf("%s comes before %s", ids[i], id)
		}
	}
	if _, err := Remedies(Stack{Self: s.Hosts[1], Hosts: s.Hosts}); err == nil {
		t.Error("a host without the keycloak role is installed as one")
	}
}

// TestRowsOfListenersHaveARemedyForEachOwner: a row that stands for several
// services names each one's own remedy.
func TestRowsOfListenersHaveARemedyForEachOwner(t *testing.T) {
	table, _, byID := everything(t)
	owners := map[probes.Code][]string{"listener.public": {"keycloak", "postgresql"}, "listener.ipv4-open": {"nginx"}, "tls.plain-http": {"keycloak", "nginx"}}
	for _, r := range table {
		for _, owner := range owners[r.Code] {
			for _, id := range r.Remedies {
				if id := fill(id, owner); byID[id] == nil {
					t.Errorf("%s of %s: no remedy %s", r.Code, owner, id)
				}
			}
		}
	}
}
