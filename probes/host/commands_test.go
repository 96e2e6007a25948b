package host_test

import (
	"strings"
	"testing"

	"watchdog/probes/host"
)

func TestCheckCommand(t *testing.T) {
	packages := `dpkg-query|-W|-f=${Package} ${db:Status-Status} ${Version}\n`
	// Words are parted by bars.
	for _, line := range []string{
		"getent|ahosts|idp.example.org", "getent|ahosts|::1",
		"nft|-j|list|ruleset", "nginx|-T", "sshd|-T",
		"journalctl|-u|keycloak.service|-o|json|-n|200|--no-pager",
		"journalctl|-n|9999|-o|json|-u|postgresql@15-main.service",
		"journalctl|-u|a.service|-o|json|-n|1|--since|@1700000000.5|--until|2026-11-23 12:00:00 UTC",
		"journalctl|-u|a.service|-o|json|-n|1|--since|-5min|-b|-r|-a|-q|--output-fields|MESSAGE,_PID",
		"systemctl|cat|keycloak.service", "systemctl|cat|--no-pager|nginx.service",
		"pg_restore|--list|/var/backups/watchdog/keycloak-2026-11-23T02:00.dump",
		packages + "|nginx-light", packages + "|nginx-light|libstdc++6",
		"timedatectl|show", "du|-x|-k|-d|3|/", "du|-x|-k|-d|3|/var/lib/postgresql",
		"ip|-j|-6|route|show", "ip|-j|addr|show",
	} {
		if err := host.CheckCommand(strings.Split(line, "|")...); err != nil {
			t.Errorf("%s: refused: %v", line, err)
		}
	}
	for _, line := range []string{
		"", "getent", "getent|ahosts", "getent|ahosts|-s", "getent|ahosts|a|b", "getent|passwd|root",
		"/usr/bin/getent|ahosts|a", "nft|flush|ruleset", "nft|-j|list|ruleset|x", "nginx", "nginx|-T|-c|/tmp/x", "nginx|-s|reload",
		"journalctl|-u|a.service|-o|json", "journalctl|-u|a.service|-n|1", "journalctl|-n|1|-o|json",
		"journalctl|-u|a.service|-o|json|-n|10000", "journalctl|-u|a.service|-o|json|-n|0", "journalctl|-u|a.service|-o|cat|-n|1",
		"journalctl|-u|a.service|-o|json|-n|1|--vacuum-size=1", "journalctl|-u|a.service|-o|json|-n|1|--rotate",
		"journalctl|-u|--rotate|-o|json|-n|1", "journalctl|-u|a.service|-o|json|-n|1|-u|b.service",
		"journalctl|-u|a.service|-o|json|-n|1|--since|--rotate", "journalctl|-u|a.service|-o|json|-n",
		"systemctl|cat", "systemctl|stop|nginx.service", "systemctl|cat|-H|x", "systemctl|cat|a.service|b.service",
		"pg_restore|--list|dump", "pg_restore|--list|/var/../etc/shadow", "pg_restore|-d|postgres|/x", "pg_restore|--list|/a b",
		packages, packages + "|-x", packages + "|A", "dpkg-query|-W|nginx", "ip|-j|route|add", "ip|link|set|eth0|down", "sh|-c|true",
		"getent|ahosts|a\n", "du|-x|-k|-d|3", "du|-x|-k|-d|3|var", "du|-x|-k|-d|3|/var/../etc", "du|-x|-k|-d|3|//", "du|-k|/", "timedatectl|set-time|12:00",
	} {
		if err := host.CheckCommand(strings.Split(line, "|")...); err == nil {
			t.Errorf("%q: not refused", line)
		}
	}
}
