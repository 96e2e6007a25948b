package system

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func TestDisk(t *testing.T) {
	const gib = 1 << 30
	usage := func(path string, u host.Usage) hosttest.Option { return hosttest.Usage(path, u) }
	pg, dir := "/var/lib/postgresql/15/main", "/var/backups/watchdog"
	full := host.Usage{Size: 20 * gib, Free: gib / 2, Files: 1 << 20, Spare: 1 << 19}
	small := host.Usage{Device: 7, Size: gib, Free: 0}
	old := hosttest.File(dir+"/backup-20261001T023000Z/keycloak.dump", "PGDMP")
	proved := func(day string) hosttest.Option {
		return hosttest.File(dir+"/backup-202611"+day+"T023000Z/manifest.json", `{"made":"2026-11-`+day+`T02:30:00Z","verified":true,"files":{"keycloak.dump":{"size":5}}}`)
	}
	nothing := "nothing on it is watchdog's to delete"
	probetest.Suite{
		Probe:      Disk{Paths: []string{"/var/log", "/var/lib/watchdog"}, Backups: dir, Keep: 14 * 24 * time.Hour},
		BareIsWell: "its disk is half empty",
		Cases: map[string]probetest.Case{
			"room": {},
			"the database's": {
				Host: []hosttest.Option{hosttest.Dir(pg), usage("/var/lib/postgresql", full)},
				Want: []string{"host.disk-full " + pg}, Says: []string{"512 MiB of 20 GiB free", "5 % or 1024 MiB", nothing},
			},
			"everything on one": {
				Host: []hosttest.Option{usage("/", full)}, Want: []string{"host.disk-full " + pg}, Says: []string{"/var/log", "/var/lib/watchdog"},
			},
			"two of them": {
				Host: []hosttest.Option{hosttest.Dir("/var/log"), hosttest.Dir(dir), usage("/var/log", full), usage("/var/backups", small)},
				Want: []string{"host.disk-full /var/log", "host.disk-full " + dir},
			},
			"two alike": {
				Host: []hosttest.Option{hosttest.Dir("/var/log"), hosttest.Dir(dir), usage("/var/log", host.Usage{Device: 8, Size: gib}), usage("/var/backups", small)},
				Want: []string{"host.disk-full /var/log", "host.disk-full " + dir},
			},
			"a small share of much":  {Host: []hosttest.Option{usage("/", host.Usage{Size: 1000 * gib, Free: 2 * gib})}},
			"little, but most of it": {Host: []hosttest.Option{usage("/", host.Usage{Size: gib / 2, Free: gib / 4})}},
			"no inodes": {
				Host: []hosttest.Option{usage("/", host.Usage{Size: 20 * gib, Free: 10 * gib, Files: 1 << 20, Spare: 100})},
				Want: []string{"host.disk-full " + pg}, Says: []string{"100 of 1048576 inodes free"},
			},
			"inodes are not counted": {Host: []hosttest.Option{usage("/", host.Usage{Size: 20 * gib, Free: 10 * gib})}},
			"backups past their time": {
				Host: []hosttest.Option{old, hosttest.Dir(dir + "/backup-20261120T023000Z.part"), usage("/", full)}, Want: []string{"host.disk-full " + pg},
				Says: []string{"2 that may go: backup-20261001T023000Z, backup-20261120T023000Z.part", "none older than 14 days"},
			},
			"on another file system": {
				Host: []hosttest.Option{hosttest.Dir("/var/log"), old, usage("/var/log", small)}, Want: []string{"host.disk-full /var/log"}, Says: []string{nothing},
			},
			"the newest proved one stays": {
				Host: []hosttest.Option{hosttest.File(dir+"/backup-20261101T023000Z/keycloak.dump", "PGDMP"), proved("01"), usage("/", full)}, Want: []string{"host.disk-full " + pg}, Says: []string{nothing},
			},
			"what fills it": {
				Host: []hosttest.Option{
					hosttest.Dir(dir), usage("/var/backups", small),
					hosttest.Output("du -x -k -d 3 /var/backups", "300000\t/var/backups/old\n1048576\t/var/backups\n"),
				},
				Want: []string{"host.disk-full " + dir}, Says: []string{"/var/backups 731 MiB, /var/backups/old 292 MiB"},
			},
			"too much to count": {
				Host: []hosttest.Option{hosttest.Dir(dir), usage("/var/backups", small), hosttest.Run("du -x -k -d 3 /var/backups", func(...string) ([]byte, error) {
					return []byte("300000\t/var/backups/old\n"), errors.New("killed")
				})},
				Want: []string{"host.disk-full " + dir}, Says: []string{"/var/backups/old 292 MiB, as far as it could be counted"},
			},
		},
	}.Run(t)
}

func TestLargest(t *testing.T) {
	du := "4\t/etc\n2000000\t/var/lib/postgresql/15\n2000000\t/var/lib/postgresql\n2500000\t/var/lib\n900000\t/var/log/journal\n900000\t/var/log\n" +
		"3500000\t/var\n3000000\t/home/ann\n3000000\t/home\nnonsense\n9000000\t/\n"
	var got []string
	for _, d := range largest(du) {
		got = append(got, d.name)
	}
	if strings.Join(got, " ") != "/home/ann / /var/lib/postgresql/15 /var/log/journal" {
		t.Errorf("got %v: each directory counts with what is in it and in none below", got)
	}
}

func TestService(t *testing.T) {
	p := Service{Name: "keycloak", Boot: true, Patience: 2 * time.Minute}
	in := func(u host.Unit) []hosttest.Option {
		u.Name = "keycloak.service"
		return []hosttest.Option{hosttest.Service(u)}
	}
	// What the service wrote itself is not the manager's word.
	says := func(manager ...string) hosttest.Option {
		journal := ""
		for _, m := range manager {
			journal += fmt.Sprintf("{\"MESSAGE\":%q,\"_PID\":\"1\"}\n{\"MESSAGE\":[83],\"_PID\":\"7\"}\n{\"MESSAGE\":\"Starting \",\"_PID\":\"7\"}\n", m)
		}
		return hosttest.Output("journalctl -u keycloak.service -o json -n 20", journal)
	}
	since := func(d time.Duration) time.Time { return hosttest.Noon.Add(-d) }
	probetest.Suite{
		Probe: p,
		Cases: map[string]probetest.Case{
			"running": {Host: []hosttest.Option{hosttest.Unit("keycloak.service", host.Running)}},
			"killed":  {Host: in(host.Unit{State: host.Failed, Enabled: true, Result: "signal"}), Want: []string{"service.dead keycloak"}, Says: []string{"result signal"}},
			"detail":  {Host: in(host.Unit{State: host.Failed, Enabled: true, Result: "exit-code", Detail: "failed (failed), loaded, status 1" + strings.Repeat("x", 4000)}), Want: []string{"service.dead keycloak"}, Says: []string{"status 1"}},
			"no word": {Host: in(host.Unit{State: host.Failed, Enabled: true}), Want: []string{"service.dead keycloak"}},
			"stopped": {Host: in(host.Unit{State: host.Stopped, Enabled: true}), Want: []string{"service.stopped keycloak"}},
			"oom":     {Host: in(host.Unit{State: host.Stopped, Enabled: true, Result: "oom-kill"}), Want: []string{"service.dead keycloak"}},
			"gave up": {Host: in(host.Unit{State: host.Failed, Enabled: true, Result: "start-limit-hit"}), Want: []string{"service.start-limit-hit keycloak"}},
			"gave up on starts by hand": {Host: append(in(host.Unit{State: host.Failed, Enabled: true, Result: "exit-code"}), says("Starting Keycloak...", "keycloak.service: Start request repeated too quickly.", "keycloak.service: Failed with result 'exit-code'.")),
				Want: []string{"service.start-limit-hit keycloak"}, Says: []string{"repeated too quickly"}},
			"gave up once, failed since": {Host: append(in(host.Unit{State: host.Failed, Enabled: true, Result: "exit-code"}), says("keycloak.service: Start request repeated too quickly.", "Starting Keycloak...", "keycloak.service: Failed with result 'exit-code'.")),
				Want: []string{"service.dead keycloak"}},
			"masked":   {Host: in(host.Unit{State: host.Masked}), Want: []string{"service.masked keycloak"}},
			"disabled": {Host: in(host.Unit{State: host.Running}), Want: []string{"service.disabled keycloak"}},
			"disabled and stopped": {
				Host: in(host.Unit{State: host.Stopped}), Want: []string{"service.stopped keycloak", "service.disabled keycloak"},
			},
			"need not start at boot": {Probe: Service{Name: "keycloak"}, Host: in(host.Unit{State: host.Running})},
			"missing":                {Want: []string{"service.missing keycloak"}},
			"starting":               {Host: in(host.Unit{State: host.Starting, Enabled: true, Since: since(110 * time.Second)})},
			"starting for ever":      {Host: in(host.Unit{State: host.Starting, Enabled: true, Since: since(130 * time.Second)}), Want: []string{"service.stuck keycloak"}, Says: []string{"starting for more than 2m0s"}},
			"stopping for ever":      {Host: in(host.Unit{State: host.Stopping, Enabled: true, Result: "timeout", Since: since(time.Hour)}), Want: []string{"service.stuck keycloak"}},
			"of no known time":       {Host: in(host.Unit{State: host.Starting, Enabled: true})},
			"patient for ever":       {Probe: Service{Name: "keycloak"}, Host: in(host.Unit{State: host.Starting, Since: since(time.Hour)})},
			"between two starts of its own": {
				Host: in(host.Unit{State: host.Starting, Enabled: true, Result: "exit-code", Since: since(time.Second)}), Want: []string{"service.dead keycloak"},
			},
			"another unit": {
				Probe: Service{Name: "postgresql", Boot: true},
				Host:  []hosttest.Option{hosttest.Unit("postgresql@15-main.service", host.Stopped)}, Want: []string{"service.stopped postgresql"}, Says: []string{"systemctl status postgresql@15-main.service"},
			},
			"no manager": {Host: []hosttest.Option{hosttest.NoInit(errors.New("bus is gone"))}, Err: "bus is gone"},
		},
	}.Run(t)
}

func TestBackups(t *testing.T) {
	const dir = "/var/backups/watchdog"
	backup := func(name, manifest string) []hosttest.Option {
		return []hosttest.Option{hosttest.File(dir+"/"+name+"/manifest.json", manifest), hosttest.File(dir+"/"+name+"/keycloak.dump", "PGDMP")}
	}
	manifest := func(age time.Duration, verified string) string {
		return `{"made":"` + hosttest.Noon.Add(-age).Format(time.RFC3339) + `","verified":` + verified + `,"files":{"keycloak.dump":{"size":5,"sha256":"00"}}}`
	}
	old := backup("backup-20261101T023000Z", manifest(22*24*time.Hour, "true"))
	fresh := backup("backup-20261123T023000Z", manifest(9*time.Hour, "true"))
	stale := []string{"backup.stale"}
	const newest = "backup-20261123T023000Z"
	const bad = "backup.corrupt " + newest
	probetest.Suite{
		Probe: Backups{Dir: dir, MaxAge: 26 * time.Hour},
		Cases: map[string]probetest.Case{
			"fresh":        {Host: append(old, fresh...)},
			"stale":        {Host: old, Want: stale, Says: []string{"528 hours ago", "backup-20261101T023000Z"}},
			"no directory": {Want: []string{"backup.missing"}},
			"other things": {Host: []hosttest.Option{hosttest.File(dir+"/notes.txt", "x"), hosttest.Dir(dir + "/backup-old")}, Want: []string{"backup.missing"}},
			"the newest not verified": {
				Host: append(old, backup("backup-20261123T023000Z", manifest(9*time.Hour, "false"))...), Want: stale, Says: []string{"20261123T023000Z: not verified"},
			},
			"none verified": {
				Host: backup("backup-20261123T023000Z", manifest(9*time.Hour, "false")), Want: []string{"backup.missing"}, Says: []string{"1 backups, none of them verified"},
			},
			"manifest torn":      {Host: append(old, backup(newest, `{"made":`)...), Want: append([]string{bad}, stale...), Says: []string{"can't be read"}},
			"without a manifest": {Host: append(old, hosttest.File(dir+"/backup-20261123T023000Z/keycloak.dump", "x")), Want: stale, Says: []string{"no manifest"}},
			"without its dump":   {Host: append(old, hosttest.File(dir+"/backup-20261123T023000Z/manifest.json", manifest(9*time.Hour, "true"))), Want: append([]string{bad}, stale...), Says: []string{"keycloak.dump is not in it"}},
			"cut short": {
				Host: append(old, append(fresh, hosttest.File(dir+"/"+newest+"/keycloak.dump", "PG"))...), Want: append([]string{bad}, stale...), Says: []string{"keycloak.dump has 2 bytes, and had 5"},
			},
			"cut short, and a fresh one before": {
				Host: append(backup("backup-20261123T010000Z", manifest(11*time.Hour, "true")), append(fresh, hosttest.File(dir+"/"+newest+"/keycloak.dump", "PG"))...), Want: []string{bad},
			},
			"cut short, and a newer one": {
				Host: append(backup("backup-20261123T033000Z", manifest(8*time.Hour, "true")), append(fresh, hosttest.File(dir+"/"+newest+"/keycloak.dump", "PG"))...),
			},
			"changed, of the same size": {Host: append(fresh, hosttest.File(dir+"/"+newest+"/keycloak.dump", "DMPPG"))},
			"directory unreadable":      {Host: []hosttest.Option{hosttest.Unreadable(dir, fs.ErrPermission)}, Err: "list backups"},
		},
	}.Run(t)
}

func TestBackupRead(t *testing.T) {
	const dir, newest = "/var/backups/watchdog", "backup-20261123T023000Z"
	// The SHA-256 of PGDMP.
	const sum = "b5a26a21290c39819235a235b8ed66b3bd98ed90c8316c8949bfbb7419cac878"
	with := func(name, dump, sum string) []hosttest.Option {
		return []hosttest.Option{
			hosttest.File(dir+"/"+name+"/keycloak.dump", dump),
			hosttest.File(dir+"/"+name+"/manifest.json", `{"made":"2026-11-23T02:30:00Z","verified":true,"files":{"keycloak.dump":{"size":5,"sha256":"`+sum+`"}}}`),
		}
	}
	probetest.Suite{
		Probe:      BackupRead{Dir: dir},
		BareIsWell: "there is nothing to read; probe backup.age tells of that",
		Cases: map[string]probetest.Case{
			"as it was":                {Host: with(newest, "PGDMP", sum)},
			"changed":                  {Host: with(newest, "PGDMQ", sum), Want: []string{"backup.corrupt " + newest}, Says: []string{"keycloak.dump is not what was proved"}},
			"changed, an older one":    {Host: append(with(newest, "PGDMP", sum), with("backup-20261122T023000Z", "PGDMQ", sum)...)},
			"without a hash":           {Host: with(newest, "PGDMQ", "")},
			"cut short: another's":     {Host: append(with(newest, "PG", sum), with("backup-20261122T023000Z", "PGDMP", sum)...)},
			"the dump can't be read":   {Host: append(with(newest, "PGDMP", sum), hosttest.Unreadable(dir+"/"+newest+"/keycloak.dump", fs.ErrPermission)), Err: "permission"},
			"a name that leads astray": {Host: append(with(newest, "PGDMP", sum), hosttest.File(dir+"/"+newest+"/manifest.json", `{"verified":true,"files":{"keycloak.dump":{"size":5},"../../x":{"size":7}}}`))},
		},
	}.Run(t)
}

func TestSecrets(t *testing.T) {
	const dropIn = "/etc/systemd/system/keycloak.service.d/admin.conf"
	mode := func(name string, m fs.FileMode, owner string) hosttest.Option {
		return hosttest.Node(name, &host.Node{Mode: m, Owner: owner, Group: owner, Data: []byte(probetest.Secret)})
	}
	left := []string{"secrets.bootstrap-left " + dropIn}
	// The suite plants its secrets in a directory that everybody may list.
	closed := hosttest.Node(host.SecretDir, &host.Node{Mode: fs.ModeDir | 0o700, Owner: "root", Group: "root"})
	with := func(opts ...hosttest.Option) []hosttest.Option { return append([]hosttest.Option{closed}, opts...) }
	probetest.Suite{
		Probe:      Secrets{},
		BareIsWell: "nothing is left behind where nothing was",
		Cases: map[string]probetest.Case{
			"closed":             {Host: with(hosttest.File("/etc/systemd/system/keycloak.service", "[Service]\nExecStart=/opt/keycloak/bin/kc.sh start --optimized\n"))},
			"masked at run time": {Host: with(hosttest.Link("/run/systemd/system/keycloak.service", "/dev/null"), hosttest.Unreadable("/dev/null", errors.New("not a regular file")))},
			"in a drop-in": {
				Host: with(hosttest.File(dropIn, "[Service]\n# KEYCLOAK_ADMIN=old\nEnvironment=KC_BOOTSTRAP_ADMIN_USERNAME=director \"KC_BOOTSTRAP_ADMIN_PASSWORD="+probetest.Secret+"\"\n")),
				Want: left, Says: []string{dropIn + ":3", "KC_BOOTSTRAP_ADMIN_PASSWORD is set"},
			},
			"the guide's, at run time": {
				Host: with(hosttest.File("/run/systemd/system/keycloak.service.d/x.conf", "[Service]\nEnvironment=\"KEYCLOAK_ADMIN_PASSWORD="+probetest.Secret+"\"\n")),
				Want: []string{"secrets.bootstrap-left /run/systemd/system/keycloak.service.d/x.conf"},
			},
			"Alpine's": {Host: with(hosttest.File("/etc/conf.d/keycloak", "export KEYCLOAK_ADMIN=director\n")), Want: []string{"secrets.bootstrap-left /etc/conf.d/keycloak"}},
			"in a file the unit reads": {
				Host: with(hosttest.File("/usr/lib/systemd/system/keycloak.service", "[Service]\nEnvironmentFile=-/etc/keycloak/env\n"), hosttest.File("/etc/keycloak/env", "KC_BOOTSTRAP_ADMIN_PASSWORD='"+probetest.Secret+"'\n")),
				Want: []string{"secrets.bootstrap-left /etc/keycloak/env"}, Says: []string{"/etc/keycloak/env:1"},
			},
			"commented out":            {Host: with(hosttest.File(dropIn, "[Service]\n# Environment=KEYCLOAK_ADMIN=director\n;Environment=KC_BOOTSTRAP_ADMIN_USERNAME=x\n"))},
			"empty or of another name": {Host: with(hosttest.File(dropIn, "[Service]\nEnvironment=KEYCLOAK_ADMIN= KC_DB_PASSWORD=x MY_KEYCLOAK_ADMINS=3\n"))},
			"readable secret": {
				Host: with(mode(host.SecretDir+"/keycloak-db", 0o644, "root")), Want: []string{"secrets.open " + host.SecretDir + "/keycloak-db"}, Says: []string{"0644 root"},
			},
			"somebody's secret":  {Host: with(mode(host.SecretDir+"/keycloak-db", 0o600, "keycloak")), Want: []string{"secrets.open " + host.SecretDir + "/keycloak-db"}},
			"directory open":     {Host: []hosttest.Option{hosttest.Dir(host.SecretDir)}, Want: []string{"secrets.open " + host.SecretDir}},
			"not readable by us": {Host: with(hosttest.Unreadable(host.SecretDir, fs.ErrPermission)), Err: "permission"},
		},
	}.Run(t)
}
