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
	pg := "/var/lib/postgresql/15/main"
	full := host.Usage{Size: 20 * gib, Free: gib / 2, Files: 1 << 20, Spare: 1 << 19}
	probetest.Suite{
		Probe:      Disk{Paths: []string{"/var/log", "/var/lib/watchdog", "/var/backups/watchdog"}},
		BareIsWell: "its disk is half empty",
		Cases: map[string]probetest.Case{
			"room": {},
			"the database's": {
				Host: []hosttest.Option{hosttest.Dir(pg), usage("/var/lib/postgresql", full)},
				Want: []string{"host.disk-full " + pg}, Says: []string{"512 MiB of 20 GiB free", "5 % or 1024 MiB"},
			},
			"everything on one": {
				Host: []hosttest.Option{usage("/", full)}, Want: []string{"host.disk-full " + pg}, Says: []string{"/var/log", "/var/lib/watchdog"},
			},
			"two of them": {
				Host: []hosttest.Option{hosttest.Dir("/var/log"), hosttest.Dir("/var/backups/watchdog"), usage("/var/log", full), usage("/var/backups", host.Usage{Size: gib, Free: 0})},
				Want: []string{"host.disk-full /var/log", "host.disk-full /var/backups/watchdog"},
			},
			"a small share of much":  {Host: []hosttest.Option{usage("/", host.Usage{Size: 1000 * gib, Free: 2 * gib})}},
			"little, but most of it": {Host: []hosttest.Option{usage("/", host.Usage{Size: gib / 2, Free: gib / 4})}},
			"no inodes": {
				Host: []hosttest.Option{usage("/", host.Usage{Size: 20 * gib, Free: 10 * gib, Files: 1 << 20, Spare: 100})},
				Want: []string{"host.disk-full " + pg}, Says: []string{"100 of 1048576 inodes free"},
			},
			"inodes are not counted": {Host: []hosttest.Option{usage("/", host.Usage{Size: 20 * gib, Free: 10 * gib})}},
			"other limits": {
				Probe: Disk{Paths: []string{"/var/log"}, Percent: 60, Bytes: 100 * gib},
				Host:  []hosttest.Option{usage("/", host.Usage{Size: 100 * gib, Free: 50 * gib})}, Want: []string{"host.disk-full " + pg},
			},
		},
	}.Run(t)
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
			"manifest torn":        {Host: append(old, backup("backup-20261123T023000Z", `{"made":`)...), Want: stale, Says: []string{"can't be read"}},
			"without a manifest":   {Host: append(old, hosttest.File(dir+"/backup-20261123T023000Z/keycloak.dump", "x")), Want: stale, Says: []string{"no manifest"}},
			"without its dump":     {Host: append(old, hosttest.File(dir+"/backup-20261123T023000Z/manifest.json", manifest(9*time.Hour, "true"))), Want: stale, Says: []string{"keycloak.dump is not in it"}},
			"directory unreadable": {Host: []hosttest.Option{hosttest.Unreadable(dir, fs.ErrPermission)}, Err: "list backups"},
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
