package remedies_test

import (
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

func TestDisk(t *testing.T) {
	const day = 24 * time.Hour
	r := remedies.Disk{Backups: backups, Keep: 3 * day}
	full := hosttest.Usage("/var/backups", host.Usage{Size: 20 << 30})
	some := []hosttest.Option{
		made(10*day, true), made(5*day, true), made(4*day, false), made(2*day, false),
		hosttest.Dir(backups + "/backup-20261120T000000Z.part"), hosttest.Dir(backups + "/mine"),
	}
	spent := []string{
		"backup-remove " + backups + "/backup-20261119T120000Z", "backup-remove " + backups + "/backup-20261113T120000Z",
		"backup-remove " + backups + "/backup-20261120T000000Z.part",
	}
	for name, tt := range map[string]struct {
		m    []hosttest.Option
		want []string
	}{
		"full":                     {append(some, full), spent},
		"room":                     {some, nil},
		"no inodes":                {append(some, hosttest.Usage("/", host.Usage{Size: 20 << 30, Free: 10 << 30, Files: 1000, Spare: 1})), spent},
		"another file system full": {append(some, hosttest.Usage("/var/log", host.Usage{Size: 20 << 30})), nil},
		"nothing past its time":    {[]hosttest.Option{made(10*day, true), made(2*day, false), full}, nil},
		"no backups":               {[]hosttest.Option{full}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := backupMachine()
			m.Change(tt.m...)
			same(t, "done", tt.want, mend(t, r, m))
			again(t, r, m)
		})
	}
	m := backupMachine()
	m.Change(append(some, full)...)
	remedytest.Suite(t, r, m)
}
