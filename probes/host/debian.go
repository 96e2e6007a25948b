package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// What each Debian release ships. PostgreSQL is the major version behind the
// package "postgresql", Java the newest OpenJDK that Keycloak 26 runs on.
var debianPostgres = map[string]int{"11": 13, "12": 15, "13": 17}

var debianJava = map[string]int{"11": 17, "12": 17, "13": 21}

// debianArch maps Go's names to Debian's where they differ.
var debianArch = map[string]string{"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}

// debianLayout reads the layout of a Debian release: postgresql-common's
// cluster "main", nginx.org-less nginx with sites-enabled, OpenJDK below
// /usr/lib/jvm.
func debianLayout(fsys FS, release string) (Layout, error) {
	l := Layout{
		Packages: map[string][]string{
			"postgresql": {"postgresql"},
			"nginx":      {"nginx-light", "libnginx-mod-stream"},
			"certbot":    {"certbot"},
			"nftables":   {"nftables"},
			"java":       {fmt.Sprintf("openjdk-%d-jre-headless", debianJava[release])},
		},
		PostgresSock: "/var/run/postgresql",
		PostgresPort: 5432,
		NginxConf:    "/etc/nginx/nginx.conf",
		NginxHTTP:    "/etc/nginx/conf.d",
		NginxUser:    "www-data",
		NginxSites:   "/etc/nginx/sites-enabled/default",
		JavaHome:     debianJavaHome(debianJava[release]),
	}
	major, err := debianMajor(fsys)
	if err != nil {
		return Layout{}, err
	}
	if major == 0 {
		major = debianPostgres[release]
	}
	l.PostgresMajor = major
	l.PostgresConf = fmt.Sprintf("/etc/postgresql/%d/main", major)
	l.PostgresData = fmt.Sprintf("/var/lib/postgresql/%d/main", major)
	l.PostgresBin = fmt.Sprintf("/usr/lib/postgresql/%d/bin", major)
	if err := debianCluster(fsys, &l); err != nil {
		return Layout{}, err
	}
	l.Units = map[string]string{
		"postgresql":            fmt.Sprintf("postgresql@%d-main.service", major),
		"certbot-timer":         "certbot.timer",
		"watchdog-backup-timer": "watchdog-backup.timer",
	}
	return l, nil
}

func debianJavaHome(major int) string {
	arch := runtime.GOARCH
	if a, ok := debianArch[arch]; ok {
		arch = a
	}
	return fmt.Sprintf("/usr/lib/jvm/java-%d-openjdk-%s", major, arch)
}

// debianMajor returns the newest major version that has a cluster "main", else
// the newest one installed, else 0.
func debianMajor(fsys FS) (int, error) {
	clusters, err := majors(fsys, "/etc/postgresql", "/main/postgresql.conf")
	if err != nil || clusters > 0 {
		return clusters, err
	}
	return majors(fsys, "/usr/lib/postgresql", "/bin/postgres")
}

// majors returns the largest number that names a directory of dir in which
// file exists.
func majors(fsys FS, dir, file string) (int, error) {
	names, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	best := 0
	for _, name := range names {
		major, err := strconv.Atoi(name)
		if err != nil || major <= best {
			continue
		}
		// Looked for in its directory: a server's program is larger than what
		// is read whole.
		in, err := fsys.ReadDir(path.Dir(dir + "/" + name + file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if slices.Contains(in, path.Base(file)) {
			best = major
		}
	}
	return best, nil
}

// setting matches a line of postgresql.conf that sets one of these.
var setting = regexp.MustCompile(`^\s*(?i:(data_directory|unix_socket_directories|port))(?:\s*=\s*|\s+)(?:'([^']*)'|([0-9]+))`)

// debianCluster takes over what an existing cluster's postgresql.conf says of
// its places; the last line of a name counts, as for the server.
func debianCluster(fsys FS, l *Layout) error {
	data, err := fsys.ReadFile(l.PostgresConf + "/postgresql.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		m := setting.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		value := m[2] + m[3]
		// What makes no sense is the server's to complain of.
		switch name := strings.ToLower(m[1]); name {
		case "port":
			if port, err := strconv.ParseUint(value, 10, 16); err == nil && port > 0 {
				l.PostgresPort = int(port)
			}
		default:
			// The first of several socket directories does.
			dir, _, _ := strings.Cut(value, ",")
			if dir = strings.TrimSpace(dir); !strings.HasPrefix(dir, "/") {
				continue
			}
			if name == "data_directory" {
				l.PostgresData = dir
			} else {
				l.PostgresSock = dir
			}
		}
	}
	return nil
}
