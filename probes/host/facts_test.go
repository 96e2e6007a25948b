package host_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

func TestReadFactsOnBareDebian(t *testing.T) {
	for release, want := range map[string]struct {
		major int
		java  string
	}{"11": {13, "openjdk-17-jre-headless"}, "12": {15, "openjdk-17-jre-headless"}, "13": {17, "openjdk-21-jre-headless"}} {
		h := hosttest.New(osRelease("ID=debian\nVERSION_ID=\"" + release + "\"\n"))
		f, err := host.ReadFacts(h.FS)
		if err != nil {
			t.Fatal(err)
		}
		if f.Distro != host.Debian || f.Release != release || f.Init != host.Systemd || f.Packages != host.APT || f.Hostname != "idp" {
			t.Errorf("release %s: facts %+v", release, f)
		}
		if f.Layout.PostgresMajor != want.major || f.Layout.Packages["java"][0] != want.java {
			t.Errorf("release %s: PostgreSQL %d and %s, want %d and %s",
				release, f.Layout.PostgresMajor, f.Layout.Packages["java"][0], want.major, want.java)
		}
	}
}

func TestDebianLayoutIsPlanned(t *testing.T) {
	l := hosttest.New().Facts.Layout
	l.JavaHome = strings.TrimRight(l.JavaHome, "abcdefghijklmnopqrstuvwxyz0123456789") // the architecture
	want := host.Layout{
		Packages: map[string][]string{
			"postgresql": {"postgresql"}, "nginx": {"nginx-light", "libnginx-mod-stream"},
			"certbot": {"certbot"}, "nftables": {"nftables"}, "java": {"openjdk-17-jre-headless"},
		},
		Units: map[string]string{
			"postgresql": "postgresql@15-main.service", "certbot-timer": "certbot.timer",
			"watchdog-backup-timer": "watchdog-backup.timer",
		},
		PostgresConf: "/etc/postgresql/15/main", PostgresData: "/var/lib/postgresql/15/main",
		PostgresBin: "/usr/lib/postgresql/15/bin", PostgresMajor: 15,
		PostgresSock: "/var/run/postgresql", PostgresPort: 5432,
		NginxConf: "/etc/nginx/nginx.conf", NginxHTTP: "/etc/nginx/conf.d", NginxUser: "www-data",
		NginxSites: "/etc/nginx/sites-enabled/default",
		JavaHome:   "/usr/lib/jvm/java-17-openjdk-",
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
	for service, unit := range map[string]string{"keycloak": "keycloak.service", "postgresql": "postgresql@15-main.service"} {
		if got := l.Unit(service); got != unit {
			t.Errorf("unit of %s is %s, want %s", service, got, unit)
		}
	}
}

func TestDebianLayoutFollowsWhatIsThere(t *testing.T) {
	conf := "#port = 5432\nport = 5433\t# moved\ndata_directory = '/srv/pg'\n" +
		"unix_socket_directories = '/run/pg, /tmp'\nlisten_addresses = '::1'\n"
	tests := []struct {
		name                   string
		have                   []hosttest.Option
		major, port            int
		confDir, data, sockDir string
	}{
		{"a cluster older than the release's package",
			[]hosttest.Option{hosttest.File("/etc/postgresql/13/main/postgresql.conf", ""), hosttest.File("/usr/lib/postgresql/15/bin/postgres", "")},
			13, 5432, "/etc/postgresql/13/main", "/var/lib/postgresql/13/main", "/var/run/postgresql"},
		{"the newest of two clusters, whatever the order of their names",
			[]hosttest.Option{hosttest.File("/etc/postgresql/9/main/postgresql.conf", ""), hosttest.File("/etc/postgresql/16/main/postgresql.conf", "")},
			16, 5432, "/etc/postgresql/16/main", "/var/lib/postgresql/16/main", "/var/run/postgresql"},
		{"a server without a cluster, and a directory that is none",
			[]hosttest.Option{hosttest.File("/usr/lib/postgresql/16/bin/postgres", ""), hosttest.Dir("/etc/postgresql/17/other"), hosttest.Dir("/usr/lib/postgresql/common")},
			16, 5432, "/etc/postgresql/16/main", "/var/lib/postgresql/16/main", "/var/run/postgresql"},
		{"a cluster with places of its own",
			[]hosttest.Option{hosttest.File("/etc/postgresql/15/main/postgresql.conf", conf)},
			15, 5433, "/etc/postgresql/15/main", "/srv/pg", "/run/pg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := hosttest.New(tt.have...).Facts.Layout
			if l.PostgresMajor != tt.major || l.PostgresPort != tt.port || l.PostgresConf != tt.confDir || l.PostgresData != tt.data || l.PostgresSock != tt.sockDir {
				t.Errorf("got %d, port %d, %s, %s, %s", l.PostgresMajor, l.PostgresPort, l.PostgresConf, l.PostgresData, l.PostgresSock)
			}
		})
	}
}

// A server's program is too large to be read whole, and a package that is half
// installed has it and no cluster yet.
func TestFactsDoNotReadPrograms(t *testing.T) {
	h := hosttest.New(hosttest.File("/usr/lib/postgresql/16/bin/postgres", ""), hosttest.Unreadable("/usr/lib/postgresql/16/bin/postgres", errors.New("larger than 8 MiB")))
	f, err := host.ReadFacts(h.FS)
	if err != nil || f.Layout.PostgresMajor != 16 {
		t.Errorf("PostgreSQL %d, %v", f.Layout.PostgresMajor, err)
	}
}

func TestReadFactsRefuses(t *testing.T) {
	tests := []struct {
		name string
		have hosttest.Option
		want string
	}{
		{"another distribution", osRelease("ID=gentoo\n"), "gentoo is not supported; supported are debian 11, 12, 13"},
		{"a derivative", osRelease("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n"), "ubuntu 24.04 is not supported"},
		{"another release", osRelease("ID=debian\nVERSION_ID=10\n"), "debian 10 is not supported"},
		{"a release without number", osRelease("ID=debian\n"), "debian is not supported"},
		{"no name", osRelease("# ID=debian\n"), "has no ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := host.ReadFacts(hosttest.NewMachine(tt.have).FS())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	m := hosttest.NewMachine(hosttest.Unreadable("/usr/lib/os-release", fs.ErrPermission))
	m.Set("/etc/os-release", nil)
	if _, err := host.ReadFacts(m.FS()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable os-release: %v", err)
	}
}

func TestFactsWithoutServiceManager(t *testing.T) {
	m := hosttest.NewMachine(hosttest.File("/etc/hostname", "homer\n"))
	m.Set("/run/systemd/system", nil)
	m.Set(host.HostnameFile, nil)
	f, err := host.ReadFacts(m.FS())
	if err != nil || f.Init != "" || f.Hostname != "homer" {
		t.Errorf("got %+v, %v; want no service manager and the name of /etc/hostname", f, err)
	}
}

func osRelease(data string) hosttest.Option { return hosttest.File("/usr/lib/os-release", data) }
