package rules

import (
	"time"

	"watchdog/probes/postgres"
	"watchdog/probes/system"
)

// noBackup is what keeps backups from being made. Once it is cured the next one
// still has to be made.
func noBackup() []Ref {
	refs := []Ref{{Code: postgres.Down}, {Code: postgres.Hung}, {Code: system.DiskFull}}
	return staying(append(refs, timerOff("watchdog-backup-timer")...))
}

// staying marks edges to what a fault does not end with.
func staying(refs []Ref) []Ref {
	for i := range refs {
		refs[i].Stays = true
	}
	return refs
}

// timerOff is all that keeps a timer from doing its work.
func timerOff(service string) []Ref {
	return []Ref{
		On(system.ServiceDisabled, service), On(system.ServiceStopped, service), On(system.ServiceMasked, service),
		On(system.ServiceDead, service), On(system.ServiceMissing, service),
	}
}

// backupTable holds the faults of backups and of secrets at rest.
var backupTable = []Rule{
	{
		Code: system.BackupMissing, Title: "There is no backup", Severity: Warning,
		Explain: "No backup of Keycloak's database exists whose dump has been read through. Were the database lost today, every user and " +
			"every client would be. One is made now.",
		DependsOn: append(noBackup(), Ref{Code: system.BackupCorrupt}),
		Remedies:  []string{"backup"},
		Budget:    Budget{Attempts: 3, Within: 6 * time.Hour},
		Fix:       []string{"watchdog backup create", "watchdog backup list"},
	},
	{
		Code: system.BackupCorrupt, Title: "The newest backup has gone bad", Severity: Warning,
		Explain: "The files of {subject} are not the ones that were read through when it was made: cut short, changed, or gone. Whoever restored " +
			"from it would find out then: pg_restore need not show it. A new one is made and read through; the bad one stays for a look " +
			"until its time is over. If nobody touched it, look at the disk.",
		DependsOn: noBackup(),
		Remedies:  []string{"backup"},
		Budget:    Budget{Attempts: 3, Within: 6 * time.Hour},
		Fix:       []string{"watchdog backup list", "journalctl -k -p err -n 50    # does the disk fail?", "watchdog backup create"},
		Drill:     "bk-corrupt",
	},
	{
		Code: system.BackupStale, Title: "The newest backup is too old", Severity: Warning,
		Explain: "The newest backup whose dump has been read through is older than the site allows. The timer may be off, the disk full, or " +
			"each new dump broken; the evidence says whether there are newer ones that do not count.",
		DependsOn: append(noBackup(), Ref{Code: system.ClockSkew}, Ref{Code: system.BackupCorrupt}),
		Remedies:  []string{"backup"},
		Budget:    Budget{Attempts: 3, Within: 6 * time.Hour},
		Fix:       []string{"systemctl list-timers watchdog-backup.timer", "watchdog backup create"},
		Drill:     "bk-stale",
	},
	{
		Code: system.BootstrapLeft, Title: "The first administrator's password is left behind", Severity: Warning,
		Explain: "A variable that once made Keycloak's first administrator still stands in {subject}. It does nothing any more but show the " +
			"password to whoever can read the unit or the process's environment. It is removed; Keycloak need not restart for that. " +
			"If that administrator still exists, change the password.",
		Remedies: []string{"keycloak.conf"},
		Fix:      []string{"grep -nE 'KC_BOOTSTRAP|KEYCLOAK_ADMIN' {subject}    # delete these lines", "systemctl daemon-reload"},
		Drill:    "kc-bootstrap-env",
	},
	{
		Code: system.SecretsOpen, Title: "A generated secret can be read by others", Severity: Critical, Door: true,
		Explain: "{subject} is open to others than root, and whoever read it has the password in it. It is closed at once; that does not " +
			"take back what was seen, so a person changes the password where it is used.",
		Remedies: []string{"secrets"},
		Fix:      []string{"chown root:root {subject}", "chmod go= {subject}"},
	},
}
