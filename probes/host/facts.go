package host

// Facts are what a machine is, read once at start.
type Facts struct {
	Hostname string
	Distro   Distro // "debian"
	Release  string // "12", empty on rolling ones
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

// A Layout says where a distribution keeps the parts of the stack. All paths
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
	PostgresMajor int    // 0 until the package is installed
	PostgresSock  string // directory of the socket

	NginxConf  string // nginx.conf
	NginxHTTP  string // directory whose *.conf are included in http{}
	NginxUser  string // whom worker processes run as
	NginxSites string // the distribution's default site, which listens on IPv4; empty where there is none

	JavaHome string
}

// Unit returns the unit's name for a service of the stack; a service without
// an entry is its own unit ("keycloak" → "keycloak.service").
func (l Layout) Unit(service string) string {
	if u, ok := l.Units[service]; ok {
		return u
	}
	return service + ".service"
}
