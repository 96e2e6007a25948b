package host_test

import (
	"errors"
	"io/fs"
	"path"
	"testing"

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
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{
		"backup-20261125T010203Z made 25: keycloak.dump is not in it",
		"backup-20261124T010203Z made 24: not verified",
		"backup-20261123T010203Z made 20: keycloak.dump is not in it",
		"backup-20261122T010203Z made 22: its manifest can't be read",
		"backup-20261121T010203Z made 21: no manifest",
		"backup-20261120T010203Z made 20: counts",
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
