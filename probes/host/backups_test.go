package host_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host/hosttest"
)

func TestBackups(t *testing.T) {
	const dir = "/var/backups/watchdog"
	backup := func(name, manifest string, files ...string) hosttest.Option {
		return func(m *hosttest.Machine) {
			if manifest != "" {
				hosttest.File(dir+"/"+name+"/manifest.json", manifest)(m)
			}
			for _, f := range append(files, "realm/breath-realm.json") {
				hosttest.File(dir+"/"+name+"/"+f, "x")(m)
			}
		}
	}
	const proved = `{"made":"2026-11-20T01:02:03Z","verified":true,"files":{"keycloak.dump":{"size":1,"sha256":"00"}}}`
	h := hosttest.New(
		backup("backup-20261120T010203Z", proved, "keycloak.dump"),
		backup("backup-20261121T010203Z", "", "keycloak.dump"),
		backup("backup-20261122T010203Z", `{"made":`, "keycloak.dump"),
		backup("backup-20261123T010203Z", proved),
		backup("backup-20261124T010203Z", `{"made":"2026-11-24T01:02:03Z","files":{"keycloak.dump":{}}}`, "keycloak.dump"),
		backup("backup-20261125T010203Z", `{"made":"2026-11-25T01:02:03Z","verified":true,"files":{}}`, "keycloak.dump"),
		backup("backup-20261119T010203Z", `{"made":"2026-11-19T01:02:03Z","verified":true,"files":{"keycloak.dump":{"size":2}}}`, "keycloak.dump"),
		backup("backup-20261118T010203Z", `{"made":"2026-11-18T01:02:03Z","verified":true,"files":{"keycloak.dump":{"size":1},"realm/breath-users-0.json":{"size":1}}}`, "keycloak.dump"),
		backup("backup-20261126T010203Z.part", proved, "keycloak.dump"),
		backup("backup-20261399T010203Z", proved, "keycloak.dump"),
		backup("mine", proved, "keycloak.dump"),
	)
	all, err := h.Backups(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range all {
		line := path.Base(b.Path) + " made " + b.Manifest.Made.Format("02") + ": " + b.Fault
		if b.Counts() {
			line += "counts"
		}
		if b.Corrupt {
			line += ", and was"
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{
		"backup-20261125T010203Z made 25: keycloak.dump is not in it",
		"backup-20261124T010203Z made 24: not verified",
		"backup-20261123T010203Z made 20: keycloak.dump is not in it, and was",
		"backup-20261122T010203Z made 22: its manifest can't be read, and was",
		"backup-20261121T010203Z made 21: no manifest",
		"backup-20261120T010203Z made 20: counts",
		"backup-20261119T010203Z made 19: keycloak.dump has 1 bytes, and had 2, and was",
		"backup-20261118T010203Z made 18: realm/breath-users-0.json is not in it, and was",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all, err := hosttest.New().Backups(dir); err != nil || len(all) > 0 {
		t.Errorf("on a bare host: %v, %v", all, err)
	}
	if _, err := hosttest.New(hosttest.Unreadable(dir, fs.ErrPermission)).Backups(dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable: %v", err)
	}
}

// TestReadBackup: one that was read is believed for a while, one that had a fault
// is not.
func TestReadBackup(t *testing.T) {
	const dir = "/var/backups/watchdog/backup-20261123T010203Z"
	manifest := func(dump string) hosttest.Option {
		sum := sha256.Sum256([]byte(dump))
		return hosttest.File(dir+"/manifest.json", fmt.Sprintf(`{"verified":true,"files":{"keycloak.dump":{"size":5,"sha256":"%x"}}}`, sum))
	}
	m := hosttest.NewMachine(manifest("PGDMP"), hosttest.File(dir+"/keycloak.dump", "PGDMP"))
	h := m.Host()
	whole := func() bool {
		t.Helper()
		all, err := h.Backups(path.Dir(dir))
		if err != nil || len(all) != 1 || !all[0].Counts() {
			t.Fatalf("backups %+v, %v", all, err)
		}
		b, err := h.ReadBackup(t.Context(), all[0])
		if err != nil || b.Counts() == b.Corrupt {
			t.Fatalf("read %+v, %v", b, err)
		}
		return b.Counts()
	}
	if !whole() {
		t.Error("a whole one is not")
	}
	m.Change(hosttest.File(dir+"/keycloak.dump", "PGDMQ"))
	if !whole() {
		t.Error("it is read again at once")
	}
	m.Pass(11 * time.Minute)
	if whole() {
		t.Error("a changed one is whole")
	}
	m.Change(hosttest.File(dir+"/keycloak.dump", "PGDMP"))
	if !whole() {
		t.Error("a fault is believed for a while")
	}
}
