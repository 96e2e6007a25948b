package host

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Facts are what a machine is, read once at start.
type Facts struct {
	// Hostname at start. Whoever judges the name reads it anew
	// ([HostnameFile]): it changes under a running program.
	Hostname string
	Distro   Distro // "debian"
	Release  string // "12", empty on rolling ones
	// Init is empty where no service manager with a driver runs, as in a
	// chroot: then [Init] answers with an error.
	Init     InitSystem
	Packages PackageManager
	Layout   Layout
}

// Distro names a distribution by its os-release ID.
type Distro string

// InitSystem and PackageManager name what the platform drivers speak to.
type (
	InitSystem     string
	PackageManager string
)

// The distributions, service managers and package managers that have drivers.
const (
	Debian Distro = "debian"

	Systemd InitSystem = "systemd"

	APT PackageManager = "apt"
)

// HostnameFile holds the kernel's host name, followed by a newline.
const HostnameFile = "/proc/sys/kernel/hostname"

// A Layout says where a distribution keeps the parts of the stack: where they
// are, and what is not installed yet, where its package will put it. All paths
// are absolute.
type Layout struct {
	// Packages by what they are for: "postgresql", "nginx", "certbot",
	// "nftables", "java".
	Packages map[string][]string
	// Units by service name ("postgresql", "nginx", "certbot-timer", …).
	Units map[string]string

	PostgresConf  string // directory of postgresql.conf, pg_hba.conf, pg_ident.conf
	PostgresData  string
	PostgresBin   string
	PostgresMajor int    // of the cluster, or of the package to install
	PostgresSock  string // directory of the socket
	PostgresPort  int    // in the socket's name: .s.PGSQL.5432

	NginxConf  string // nginx.conf
	NginxHTTP  string // directory whose *.conf are included in http{}
	NginxUser  string // whom worker processes run as
	NginxSites string // the distribution's default site, which listens on IPv4; empty where there is none

	JavaHome string
}

// File returns the path of a file that is said by its place in the layout:
// "{postgres}/pg_hba.conf" is in the directory of PostgreSQL's configuration.
func (l Layout) File(name string) string {
	return strings.Replace(name, "{postgres}", l.PostgresConf, 1)
}

// Unit returns the unit's name for a service of the stack; a service without
// an entry is its own unit ("keycloak" → "keycloak.service").
func (l Layout) Unit(service string) string {
	if u, ok := l.Units[service]; ok {
		return u
	}
	return service + ".service"
}

// A platform is one supported distribution: its package manager, the releases
// whose layout is known, and the layout itself.
type platform struct {
	distro   Distro
	packages PackageManager
	releases []string // empty for a rolling one
	layout   func(fsys FS, release string) (Layout, error)
}

var platforms = []platform{
	{Debian, APT, []string{"11", "12", "13"}, debianLayout},
}

// inits tells the service managers apart by what each keeps while it runs.
var inits = []struct {
	mark string
	init InitSystem
}{
	{"/run/systemd/system", Systemd},
}

// ReadFacts finds out what machine fsys belongs to. It works on a bare host,
// whose layout is then the planned one. A distribution or release without a
// driver is an error that names those that have one.
func ReadFacts(fsys FS) (Facts, error) {
	release, err := osRelease(fsys)
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Distro: Distro(release["ID"]), Release: release["VERSION_ID"]}
	i := slices.IndexFunc(platforms, func(p platform) bool {
		return p.distro == f.Distro && (len(p.releases) == 0 || slices.Contains(p.releases, f.Release))
	})
	if i < 0 {
		return Facts{}, fmt.Errorf("use this machine: %s is not supported; supported are %s",
			strings.TrimSpace(release["ID"]+" "+release["VERSION_ID"]), supported())
	}
	f.Packages = platforms[i].packages
	if f.Hostname, err = hostname(fsys); err != nil {
		return Facts{}, err
	}
	for _, in := range inits {
		n, err := fsys.Node(in.mark)
		if err != nil {
			return Facts{}, err
		}
		if n != nil {
			f.Init = in.init
			break
		}
	}
	if f.Layout, err = platforms[i].layout(fsys, f.Release); err != nil {
		return Facts{}, fmt.Errorf("read the layout of %s %s: %w", f.Distro, f.Release, err)
	}
	return f, nil
}

func supported() string {
	var names []string
	for _, p := range platforms {
		names = append(names, strings.TrimSpace(string(p.distro)+" "+strings.Join(p.releases, ", ")))
	}
	return strings.Join(names, "; ")
}

// osRelease reads the variables of os-release(5).
func osRelease(fsys FS) (map[string]string, error) {
	data, err := fsys.ReadFile("/etc/os-release")
	if errors.Is(err, fs.ErrNotExist) {
		data, err = fsys.ReadFile("/usr/lib/os-release")
	}
	if err != nil {
		return nil, fmt.Errorf("read the distribution's name: %w", err)
	}
	vars := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		vars[name] = value
	}
	if vars["ID"] == "" {
		return nil, errors.New("read the distribution's name: os-release has no ID")
	}
	return vars, nil
}

func hostname(fsys FS) (string, error) {
	data, err := fsys.ReadFile(HostnameFile)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = fsys.ReadFile("/etc/hostname")
	}
	if err != nil {
		return "", fmt.Errorf("read the host name: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
