package remedies_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const backups = "/var/backups/watchdog"

func kcBackup() remedies.Backup {
	return remedies.Backup{
		Database: "keycloak", Realm: "breath", Server: kcServer(),
		Dir: backups, Keep: 72 * time.Hour, MaxAge: 26 * time.Hour, At: "04:30",
	}
}

// backupMachine has a database and a Keycloak to back up, and programs that do
// what the real ones do.
func backupMachine() *remedytest.Machine {
	m := remedytest.New(withKeycloak("26.7.0"), hosttest.Dir("/var/backups"))
	m.Handle("pg-dump", func(c remedies.Command) ([]byte, error) {
		m.Set(c.Args[1], remedies.File([]byte("PGDMP of "+c.Args[0]), "root", "root", 0o600))
		return nil, nil
	})
	m.Handle("pg-restore-list", func(remedies.Command) ([]byte, error) {
		return []byte("4267; 0 16444 TABLE DATA public realm keycloak\n"), nil
	})
	m.Handle("file-size", func(c remedies.Command) ([]byte, error) {
		return fmt.Appendln(nil, len(m.Get(c.Args[0]).Data)), nil
	})
	m.Handle("file-sha256", func(c remedies.Command) ([]byte, error) {
		sum := sha256.Sum256(m.Get(c.Args[0]).Data)
		return []byte(hex.EncodeToString(sum[:]) + "  " + c.Args[0] + "\n"), nil
	})
	m.Handle("kc-export-dir", func(c remedies.Command) ([]byte, error) {
		for name, text := range map[string]string{"breath-realm.json": `{"realm":"breath"}`, "breath-users-0.json": `{"realm":"breath","users":[]}`} {
			m.Set(c.Args[0]+"/"+name, remedies.File([]byte(text), "keycloak", "keycloak", 0o600))
		}
		return nil, nil
	})
	m.Handle("backup-publish", func(c remedies.Command) ([]byte, error) {
		for name, n := range m.Nodes() {
			if rest, ok := strings.CutPrefix(name, c.Args[0]); ok {
				m.Set(name, nil)
				m.Set(c.Args[1]+rest, n)
			}
		}
		return nil, nil
	})
	m.Handle("backup-remove", func(c remedies.Command) ([]byte, error) {
		for name := range m.Nodes() {
			if name == c.Args[0] || strings.HasPrefix(name, c.Args[0]+"/") {
				m.Set(name, nil)
			}
		}
		return nil, nil
	})
	return m
}

// made is a backup of that age; one that is not proved has no manifest.
func made(age time.Duration, proved bool) hosttest.Option {
	at := hosttest.Noon.Add(-age)
	dir := backups + "/backup-" + at.Format("20060102T150405Z")
	return func(m *hosttest.Machine) {
		hosttest.File(dir+"/keycloak.dump", "PGDMP")(m)
		if proved {
			hosttest.File(dir+"/manifest.json", fmt.Sprintf(`{"made":%q,"verified":true,"files":{"keycloak.dump":{"size":5}}}`, at.Format(time.RFC3339)))(m)
		}
	}
}

func TestBackup(t *testing.T) {
	m := backupMachine()
	remedytest.Suite(t, kcBackup(), m)
	mend(t, kcBackup(), m)
	again(t, kcBackup(), m)
	dir := backups + "/backup-20261123T120000Z"
	for name, want := range map[string]string{
		backups: "drwx------ root:root", dir: "drwx------ root:root", dir + "/realm": "drwx------ root:root",
		dir + "/manifest.json": "-rw------- root:root", dir + "/realm/breath-realm.json": "-rw------- root:root",
	} {
		n := m.Get(name)
		if n == nil {
			t.Errorf("no %s", name)
			continue
		}
		same(t, name, want, fmt.Sprintf("%v %s:%s", n.Mode, n.Owner, n.Group))
	}
	var got host.BackupManifest
	if err := json.Unmarshal([]byte(content(m, dir+"/manifest.json")), &got); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("PGDMP of keycloak"))
	same(t, "dump", host.BackupFile{Size: 17, SHA256: hex.EncodeToString(sum[:])}, got.Files["keycloak.dump"])
	if len(got.Files) != 3 || !got.Verified || !got.Made.Equal(hosttest.Noon) {
		t.Errorf("manifest is %+v", got)
	}
	if m.Get("/opt/keycloak-26.7.0/data/watchdog-export") != nil {
		t.Error("the export stays where Keycloak wrote it")
	}
	if timer := content(m, "/etc/systemd/system/watchdog-backup.timer"); !strings.Contains(timer, "\nOnCalendar=*-*-* 04:30:00\n") {
		t.Errorf("timer:\n%s", timer)
	}
	if s := content(m, "/etc/systemd/system/watchdog-backup.service"); !strings.Contains(s, "\nExecStart=/usr/bin/watchdog backup create\n") {
		t.Errorf("service:\n%s", s)
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestBackupDue(t *testing.T) {
	tests := map[string]struct {
		found []hosttest.Option
		due   bool
	}{
		"none":                 {nil, true},
		"of this night":        {[]hosttest.Option{made(9*time.Hour, true)}, false},
		"too old":              {[]hosttest.Option{made(27*time.Hour, true)}, true},
		"its dump gone":        {[]hosttest.Option{hosttest.File(backups+"/backup-20261123T110000Z/manifest.json", `{"made":"2026-11-23T11:00:00Z","verified":true,"files":{"keycloak.dump":{}}}`)}, true},
		"not proved":           {[]hosttest.Option{made(time.Hour, false)}, true},
		"an older one, then":   {[]hosttest.Option{made(time.Hour, false), made(20*time.Hour, true)}, false},
		"the newest cut short": {[]hosttest.Option{made(time.Hour, true), hosttest.File(backups+"/backup-20261123T110000Z/keycloak.dump", "PGD"), made(20*time.Hour, true)}, true},
		"the newest changed": {[]hosttest.Option{hosttest.File(backups+"/backup-20261123T110000Z/keycloak.dump", "PGDMQ"),
			hosttest.File(backups+"/backup-20261123T110000Z/manifest.json", `{"made":"2026-11-23T11:00:00Z","verified":true,"files":{"keycloak.dump":{"size":5,"sha256":"`+hashOf("PGDMP")+`"}}}`)}, true},
		"an older one cut short": {[]hosttest.Option{made(time.Hour, true), made(20*time.Hour, true), hosttest.File(backups+"/backup-20261122T160000Z/keycloak.dump", "PGD")}, false},
		"unfinished":             {[]hosttest.Option{hosttest.File(backups+"/backup-20261123T110000Z.part/manifest.json", `{"made":"2026-11-23T11:00:00Z","verified":true}`)}, true},
		"a stranger's":           {[]hosttest.Option{hosttest.File(backups+"/mine/manifest.json", `{"made":"2026-11-23T11:00:00Z","verified":true}`)}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := backupMachine()
			m.Change(tt.found...)
			if got := len(plan(t, kcBackup(), m).Steps) > 0; got != tt.due {
				t.Errorf("due %t, want %t", got, tt.due)
			}
		})
	}
}

// TestBackupPrune: what is past its time goes, and what never was a backup; the
// newest proved one stays, however old.
func TestBackupPrune(t *testing.T) {
	names := func(m *remedytest.Machine) []string {
		all, err := m.Host().FS.ReadDir(backups)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	day := 24 * time.Hour
	m := backupMachine()
	m.Change(made(10*day, true), made(5*day, true), made(4*day, false), made(9*day, false), made(2*day, false),
		hosttest.Dir(backups+"/backup-20261120T000000Z.part"), hosttest.Dir(backups+"/mine"))
	if err := kcBackup().Prune(t.Context(), m, m.Host()); err != nil {
		t.Fatal(err)
	}
	same(t, "left", []string{"backup-20261118T120000Z", "backup-20261121T120000Z", "mine"}, names(m))

	m = backupMachine()
	m.Change(made(10*day, true), made(5*day, true), made(day, true))
	if err := kcBackup().Prune(t.Context(), m, m.Host()); err != nil {
		t.Fatal(err)
	}
	same(t, "left", []string{"backup-20261122T120000Z"}, names(m))
}

// TestBackupRefuses: what can't be proved is no backup, and the old one stays.
func TestBackupRefuses(t *testing.T) {
	bad := errors.New("could not read from input file: end of file")
	for name, harm := range map[string]func(m *remedytest.Machine){
		"a dump cut short": func(m *remedytest.Machine) {
			m.Handle("pg-restore-read", func(remedies.Command) ([]byte, error) { return nil, bad })
		},
		"another database": func(m *remedytest.Machine) {
			m.Handle("pg-restore-list", func(remedies.Command) ([]byte, error) { return []byte("TABLE DATA public users\n"), nil })
		},
		"no dump": func(m *remedytest.Machine) {
			m.Handle("pg-dump", func(remedies.Command) ([]byte, error) { return nil, bad })
		},
		"no export": func(m *remedytest.Machine) {
			m.Handle("kc-export-dir", func(remedies.Command) ([]byte, error) { return nil, nil })
		},
		"export of another realm": func(m *remedytest.Machine) {
			m.Handle("kc-export-dir", func(c remedies.Command) ([]byte, error) {
				m.Set(c.Args[0]+"/breath-realm.json", remedies.File([]byte(`{"realm":"master"}`), "keycloak", "keycloak", 0o600))
				return nil, nil
			})
		},
		"half an export": func(m *remedytest.Machine) {
			m.Handle("kc-export-dir", func(c remedies.Command) ([]byte, error) {
				m.Set(c.Args[0]+"/breath-realm.json", remedies.File([]byte(`{"realm":"breath",`), "keycloak", "keycloak", 0o600))
				return nil, bad
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := backupMachine()
			m.Change(made(100*time.Hour, true))
			before := m.State()
			harm(m)
			if _, err := kcBackup().Create(t.Context(), m, m.Host()); err == nil {
				t.Error("made without error")
			}
			same(t, "files", before.Nodes, m.Nodes())
		})
	}
}

// TestBackupTimer: a calendar time of systemd's is taken as it is; a unit that a
// package brought and that says the same is left to it.
func TestBackupTimer(t *testing.T) {
	m := backupMachine()
	m.Change(made(time.Hour, true))
	r := kcBackup()
	r.At = "Mon..Fri 01:00"
	mend(t, r, m)
	timer := content(m, "/etc/systemd/system/watchdog-backup.timer")
	if !strings.Contains(timer, "\nOnCalendar=Mon..Fri 01:00\n") {
		t.Errorf("timer:\n%s", timer)
	}
	other := backupMachine()
	other.Change(made(time.Hour, true), hosttest.File("/usr/lib/systemd/system/watchdog-backup.timer", timer))
	if lines := plan(t, r, other).Lines(); slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "watchdog-backup.timer") }) {
		t.Errorf("planned %q", lines)
	}
}
