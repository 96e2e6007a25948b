package hands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// calls are one good call of each program, and what is run for it.
var calls = map[string]struct{ args, argv string }{
	"packages-repair":  {"", "--force-confdef --force-confold --configure -a"},
	"packages-update":  {"", "-q -y -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o APT::Update::Error-Mode=any update"},
	"packages-install": {"nginx-light libnginx-mod-stream g++-12", "-q -y -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold --no-install-recommends install -- nginx-light libnginx-mod-stream g++-12"},
	"hostname-set":     {"", "-F /etc/hostname"},
	"address-add":      {"2001:db8::1/64 eth0.200", "-6 address replace 2001:db8::1/64 dev eth0.200"},
	"address-del":      {"2001:db8::1/64 eth0", "-6 address del 2001:db8::1/64 dev eth0"},
	"user-add":         {"keycloak /opt/keycloak", "--system --user-group --no-create-home --shell /usr/sbin/nologin --home-dir /opt/keycloak -- keycloak"},
	"group-add":        {"watchdog", "--system -- watchdog"},
	"certbot-certonly": {
		"--webroot -w /var/lib/acme-webroot --cert-name idp.example.org -d idp.example.org --server https://acme.example.org:14000/dir --non-interactive --agree-tos -m a.b+c@example.org --force-renewal --renew-with-new-domains",
		"certonly --webroot -w /var/lib/acme-webroot --cert-name idp.example.org -d idp.example.org --server https://acme.example.org:14000/dir --non-interactive --agree-tos -m a.b+c@example.org --force-renewal --renew-with-new-domains",
	},
	"certbot-renew":        {"", "renew --non-interactive --no-random-sleep-on-renew"},
	"nginx-test":           {"", "-t -q"},
	"nft-check":            {"", "-c -f -"},
	"nft-load":             {"/etc/watchdog/edge.nft", "-f /etc/watchdog/edge.nft"},
	"nft-delete-table":     {"watchdog_edge", "delete table inet watchdog_edge"},
	"nft-revert-in":        {"60 /etc/watchdog/off.nft", "--quiet --collect --unit=watchdog-firewall-revert --on-active=60 --timer-property=AccuracySec=100ms -- /usr/sbin/nft -f /etc/watchdog/off.nft"},
	"nft-revert-cancel":    {"", "stop watchdog-firewall-revert.timer"},
	"kc-build":             {"", "build"},
	"kc-help":              {"", "start --help-all"},
	"kc-bootstrap-service": {"watchdog-bootstrap-01ab", "bootstrap-admin service --optimized --no-prompt --client-id=watchdog-bootstrap-01ab --client-secret:env=WATCHDOG_SECRET"},
	"kc-export-dir":        {"/opt/keycloak-26.7.0/data/watchdog-export breath", "export --optimized --dir=/opt/keycloak-26.7.0/data/watchdog-export --realm=breath --users=different_files --users-per-file=500"},
	"pg-dump":              {"keycloak /var/backups/watchdog/x/keycloak.dump", "--no-password --username=postgres --host=/var/run/postgresql --port=5432 --format=custom --file=/var/backups/watchdog/x/keycloak.dump --dbname=keycloak"},
	"pg-restore-list":      {"/var/backups/x.dump", "--list /var/backups/x.dump"},
	"pg-restore-read":      {"/var/backups/x.dump", "--file=/dev/null /var/backups/x.dump"},
	"backup-publish":       {"/var/backups/watchdog/backup-20261123T031700Z.part /var/backups/watchdog/backup-20261123T031700Z", "--no-target-directory -- /var/backups/watchdog/backup-20261123T031700Z.part /var/backups/watchdog/backup-20261123T031700Z"},
	"backup-remove":        {"/var/backups/watchdog/backup-20261123T031700Z", "-r -f --one-file-system -- /var/backups/watchdog/backup-20261123T031700Z"},
	"file-size":            {"/var/backups/x.dump", "-c %s -- /var/backups/x.dump"},
	"file-sha256":          {"/var/backups/x.dump", "-- /var/backups/x.dump"},
}

func TestProgramsRunWhatTheySay(t *testing.T) {
	w := New(hosttest.New(), Options{})
	fill, err := w.fill()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			call, ok := calls[name]
			if !ok {
				t.Fatal("no call of it is tried")
			}
			c := remedies.Command{Name: name, Args: strings.Fields(call.args)}
			if err := p.check(c); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.words(c.Args, fill), " "); got != call.argv {
				t.Errorf("runs %s\n     want %s", got, call.argv)
			}
			for _, file := range p.paths {
				if !filepath.IsAbs(fill.Replace(file)) {
					t.Errorf("%s is not an absolute path", file)
				}
			}
			if p.timeout <= 0 {
				t.Error("it has no time-out")
			}
			if strings.ContainsAny(fill.Replace(strings.Join(append(p.env, p.as), " ")), "{}") {
				t.Error("a {NAME} is left unfilled")
			}
			for _, word := range p.argv {
				for _, place := range regexp.MustCompile(`\$([0-9])`).FindAllStringSubmatch(word, -1) {
					if n, _ := strconv.Atoi(place[1]); n < 1 || n > len(p.places) {
						t.Errorf("%s is no place", place[0])
					}
				}
			}
		})
	}
}

// hostile is what no place of any program takes.
var hostile = []string{
	"", "-", "-x", "--output=/etc/passwd", "a b", "a\nb", "a;b", "$(id)", "`id`", "a|b", "a\x00b", "*", "~",
	"/etc/../etc/passwd", "/var/backups/..", "../x", "é", "'", `"`, "{keycloak}", "$1",
}

func TestProgramsRefuseOtherArguments(t *testing.T) {
	for name, p := range programs {
		good := strings.Fields(calls[name].args)
		bad := [][]string{append(append([]string{}, good...), "--help")}
		if len(good) > 0 {
			bad = append(bad, good[:len(good)-1], nil)
		}
		for i := range good {
			for _, word := range hostile {
				args := append([]string{}, good...)
				args[i] = word
				bad = append(bad, args)
			}
		}
		for _, args := range bad {
			// Options may be left out, one by one or all.
			if p.options != nil && len(args) < len(good) {
				continue
			}
			// So may all but one of a list.
			if p.more != "" && len(args) > 0 && len(args) < len(good) {
				continue
			}
			if err := p.check(remedies.Command{Name: name, Args: args}); err == nil {
				t.Errorf("%s takes %q", name, args)
			}
		}
		if err := p.check(remedies.Command{Name: name, Args: good, Env: map[string]host.Secret{"LD_PRELOAD": host.NewSecret("x")}}); err == nil {
			t.Errorf("%s takes any variable", name)
		}
	}
	w := New(hosttest.New(), Options{})
	for _, name := range []string{"", "sh", "/bin/sh", "apt-get"} {
		if _, err := w.Run(t.Context(), remedies.Command{Name: name}); err == nil || !strings.Contains(err.Error(), "not on the list") {
			t.Errorf("Run(%q) = %v; want that it is not on the list", name, err)
		}
	}
	certbot := programs["certbot-certonly"]
	for _, args := range [][]string{{"--webroot", "-w"}, {"-w", "--webroot"}, {"--deploy-hook", "/x"}, {"--server", "http://acme.example.org/"}} {
		if certbot.check(remedies.Command{Args: args}) == nil {
			t.Errorf("certbot-certonly takes %q", args)
		}
	}
}

// Only backups are removed, whatever a remedy asks for.
func TestProgramsRemoveBackupsOnly(t *testing.T) {
	p := programs["backup-remove"]
	for _, name := range []string{"/", "/etc", "/var/backups/watchdog", "/var/backups/watchdog/backup-", "/backup-20261123T031700Z/x"} {
		if p.check(remedies.Command{Args: []string{name}}) == nil {
			t.Errorf("backup-remove takes %s", name)
		}
	}
}

func TestAptBusy(t *testing.T) {
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ said, want string }{
		"named": {
			"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4242 (unattended-upgr)\nN: Be aware that removing the lock file is not a solution and may break your system.\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
			"the package manager is busy: unattended-upgr (process 4242) holds it",
		},
		"lists": {
			"E: Could not get lock /var/lib/apt/lists/lock. It is held by process 17 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/",
			"the package manager is busy: apt-get (process 17) holds it",
		},
		"older": {"E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)", "the package manager is busy"},
		"dpkg's": {
			"dpkg: error: dpkg frontend lock was locked by another process with pid 999999999\nNote: removing the lock file is always wrong, can damage the locked area",
			"the package manager is busy: process 999999999 held it",
		},
		"dpkg's, alive": {
			fmt.Sprintf("dpkg: error: dpkg database lock was locked by another process with pid %d", os.Getpid()),
			fmt.Sprintf("the package manager is busy: %s (process %d) holds it", strings.TrimSpace(string(self)), os.Getpid()),
		},
		"something else": {"E: Unable to locate package nginx-heavy", ""},
	}
	for name, tt := range tests {
		err := aptBusy(&host.CommandError{Stderr: tt.said})
		if (err == nil) != (tt.want == "") || err != nil && (err.Error() != tt.want || !errors.Is(err, remedies.ErrBusy)) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}
