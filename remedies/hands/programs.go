package hands

import (
	"slices"
	"time"
)

// Patterns of arguments. None of them takes a leading dash, or a blank.
const (
	patFile    = `(?:/[A-Za-z0-9@._:+-]+)+`
	patName    = `[A-Za-z_][A-Za-z0-9_-]{0,62}` // a user, a database, a table
	patRealm   = `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
	patPackage = `[a-z0-9][a-z0-9.+-]+`
	patHost    = `[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?`
	patPrefix  = `[0-9A-Fa-f:]{2,39}/[0-9]{1,3}`
	patIface   = `[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}`
	patURL     = `https://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~/-]*)?`
	patMail    = `[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+`
	patSeconds = `[1-9][0-9]{0,3}`
	patBackup  = patFile + `/backup-[0-9]{8}T[0-9]{6}Z`
)

// aptOptions keep apt-get from asking and from waiting: a package manager that
// is busy is said at once, and configuration files stay as they are.
var aptOptions = []string{
	"-q", "-y",
	"-o", "DPkg::Lock::Timeout=0", "-o", "Dpkg::Use-Pty=0",
	"-o", "Dpkg::Options::=--force-confold",
}

// aptEnv keeps the tools around it from asking, too.
var aptEnv = []string{"DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none", "NEEDRESTART_SUSPEND=1"}

// kcEnv is what kc.sh needs to find its Java and its configuration. These runs
// live for seconds: the first compiler alone halves their CPU time.
var kcEnv = []string{"JAVA_HOME={java}", "KC_CONFIG_FILE={keycloak-conf}", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1"}

// kcPort is the variable that gives a command of kc.sh a management port of its
// own: beside a running server it would end at the server's (measured on 26.7).
const kcPort = "KC_HTTP_MANAGEMENT_PORT"

// programs is the closed list: all that this program ever runs to change a
// machine. [host.CheckCommand] has the ones that only look.
var programs = map[string]program{
	"packages-update": {
		paths: []string{"/usr/bin/apt-get"},
		argv:  slices.Concat(aptOptions, []string{"-o", "APT::Update::Error-Mode=any", "update"}),
		env:   aptEnv, timeout: 5 * time.Minute, explain: aptBusy,
	},
	// What an interrupted run of dpkg left unpacked and not set up; nothing,
	// quickly, when there is nothing.
	"packages-repair": {
		paths: []string{"/usr/bin/dpkg"},
		argv:  []string{"--force-confdef", "--force-confold", "--configure", "-a"},
		env:   aptEnv, timeout: 10 * time.Minute, explain: aptBusy,
	},
	"packages-install": {
		paths: []string{"/usr/bin/apt-get"},
		argv:  slices.Concat(aptOptions, []string{"--no-install-recommends", "install", "--", "$@"}),
		more:  patPackage,
		env:   aptEnv, timeout: 15 * time.Minute, explain: aptBusy,
	},
	// The running name is taken from /etc/hostname.
	"hostname-set": {
		paths: []string{"/usr/bin/hostname", "/bin/hostname"}, argv: []string{"-F", "/etc/hostname"},
		timeout: 5 * time.Second,
	},
	"address-add": {
		paths: ipPaths, argv: []string{"-6", "address", "replace", "$1", "dev", "$2"},
		places: []string{patPrefix, patIface}, timeout: 5 * time.Second,
	},
	"address-del": {
		paths: ipPaths, argv: []string{"-6", "address", "del", "$1", "dev", "$2"},
		places: []string{patPrefix, patIface}, timeout: 5 * time.Second,
	},
	"user-add": {
		paths: []string{"/usr/sbin/useradd", "/usr/bin/useradd"},
		argv: []string{"--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin",
			"--home-dir", "$2", "--", "$1"},
		places: []string{patName, patFile}, timeout: 10 * time.Second,
	},
	"group-add": {
		paths: []string{"/usr/sbin/groupadd", "/usr/bin/groupadd"}, argv: []string{"--system", "--", "$1"},
		places: []string{patName}, timeout: 10 * time.Second,
	},
	"certbot-certonly": {
		paths: certbotPaths, argv: []string{"certonly", "$@"},
		options: map[string]string{
			"--webroot": "", "-w": patFile, "--cert-name": patHost, "-d": patHost, "--server": patURL,
			"--non-interactive": "", "--agree-tos": "", "-m": patMail, "--register-unsafely-without-email": "",
			"--force-renewal": "", "--renew-with-new-domains": "", "--keep-until-expiring": "",
		},
		timeout: 4 * time.Minute,
	},
	"certbot-renew": {
		paths: certbotPaths, argv: []string{"renew", "--non-interactive", "--no-random-sleep-on-renew"},
		timeout: 4 * time.Minute,
	},
	"nginx-test": {
		paths: []string{"/usr/sbin/nginx", "/usr/bin/nginx"}, argv: []string{"-t", "-q"}, timeout: 10 * time.Second,
	},
	// Rules are given by standard input.
	"nft-check": {paths: nftPaths, argv: []string{"-c", "-f", "-"}, timeout: 10 * time.Second},
	"nft-load":  {paths: nftPaths, argv: []string{"-f", "$1"}, places: []string{patFile}, timeout: 10 * time.Second},
	"nft-delete-table": {
		paths: nftPaths, argv: []string{"delete", "table", "inet", "$1"}, places: []string{patName}, timeout: 10 * time.Second,
	},
	// In so many seconds the rules of that file are loaded, unless cancelled.
	"nft-revert-in": {
		paths: []string{"/usr/bin/systemd-run"},
		argv: []string{"--quiet", "--collect", "--unit=watchdog-firewall-revert", "--on-active=$1",
			"--timer-property=AccuracySec=100ms", "--", "/usr/sbin/nft", "-f", "$2"},
		places: []string{patSeconds, patFile}, timeout: 10 * time.Second,
	},
	"nft-revert-cancel": {
		paths: []string{"/usr/bin/systemctl"}, argv: []string{"stop", "watchdog-firewall-revert.timer"}, timeout: 10 * time.Second,
	},
	"kc-build": {
		paths: kcPaths, argv: []string{"build"}, as: owner, env: kcEnv, timeout: 5 * time.Minute, holds: true,
	},
	"kc-bootstrap-service": {
		paths: kcPaths,
		argv: []string{"bootstrap-admin", "service", "--optimized", "--no-prompt",
			"--client-id=$1", "--client-secret:env=WATCHDOG_SECRET"},
		places: []string{patRealm}, as: "{keycloak-user}", env: kcEnv, port: kcPort,
		secrets: []string{"WATCHDOG_SECRET"}, timeout: 2 * time.Minute, holds: true,
	},
	"kc-export-dir": {
		paths:  kcPaths,
		argv:   []string{"export", "--optimized", "--dir=$1", "--realm=$2", "--users=different_files", "--users-per-file=500"},
		places: []string{patFile, patRealm}, as: "{keycloak-user}", env: kcEnv, port: kcPort,
		private: true, timeout: 5 * time.Minute, holds: true,
	},
	"kc-help": {
		paths: kcPaths, argv: []string{"start", "--help-all"}, as: "{keycloak-user}", env: kcEnv, timeout: time.Minute,
	},
	"pg-dump": {
		paths: []string{"{postgres-bin}/pg_dump"},
		argv: []string{"--no-password", "--username=postgres", "--host={postgres-socket}", "--port={postgres-port}",
			"--format=custom", "--file=$2", "--dbname=$1"},
		places: []string{patName, patFile}, private: true, timeout: 30 * time.Minute,
	},
	"pg-restore-list": {
		paths: pgRestorePaths, argv: []string{"--list", "$1"}, places: []string{patFile}, timeout: time.Minute,
	},
	// The whole dump is read, and what it says thrown away.
	"pg-restore-read": {
		paths: pgRestorePaths, argv: []string{"--file=/dev/null", "$1"}, places: []string{patFile}, timeout: 30 * time.Minute,
	},
	// A backup gets its name when it is whole.
	"backup-publish": {
		paths: []string{"/usr/bin/mv", "/bin/mv"}, argv: []string{"--no-target-directory", "--", "$1", "$2"},
		places: []string{patBackup + `\.part`, patBackup}, timeout: 10 * time.Second,
	},
	"backup-remove": {
		paths: []string{"/usr/bin/rm", "/bin/rm"}, argv: []string{"-r", "-f", "--one-file-system", "--", "$1"},
		places: []string{patBackup + `(?:\.part)?`}, timeout: 5 * time.Minute,
	},
	"file-size": {
		paths: []string{"/usr/bin/stat", "/bin/stat"}, argv: []string{"-c", "%s", "--", "$1"},
		places: []string{patFile}, timeout: 10 * time.Second,
	},
	"file-sha256": {
		paths: []string{"/usr/bin/sha256sum"}, argv: []string{"--", "$1"}, places: []string{patFile}, timeout: 10 * time.Minute,
	},
}

var (
	ipPaths      = []string{"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"}
	nftPaths     = []string{"/usr/sbin/nft", "/usr/bin/nft"}
	certbotPaths = []string{"/usr/bin/certbot"}
	kcPaths      = []string{"{keycloak}/bin/kc.sh"}

	pgRestorePaths = []string{"{postgres-bin}/pg_restore"}
)
