// Package rules is the book and the head of the program: the typed site
// ([Stack]), the table of faults ([Rule]), and the two pure functions that turn
// observations into diagnoses and diagnoses into actions.
//
// Where it stands: site file ─▶ [Stack] ─▶ probes ─▶ findings ─▶ [Diagnose] ─▶ [Decide] ─▶ remedy …
//
// It does no I/O; packages engine and ledger below it do.
package rules

import (
	"net/netip"
	"slices"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// A Stack is one site, typed and with every default filled in, as seen from one
// of its hosts. cmd makes it from the site file.
type Stack struct {
	Domain string
	Hosts  []Host
	// Self is the host this program runs on.
	Self Host

	ACME     ACME
	Postgres Postgres
	Keycloak Keycloak
	Realm    Realm
	Gateways []Gateway
	Firewall Firewall
	Backups  Backups
	Network  Network
	// Modes by code, where the site tightens the book's.
	Modes map[probes.Code]Mode
	// Mode is the site-wide one; it only tightens.
	Mode      Mode
	Exporters Exporters
	// Hash is the site file's SHA-256 in hex.
	Hash string
}

// A Host is one machine of the site.
type Host struct {
	Name    string // the key in the site file, and its short host name
	FQDN    string // its public name
	Address netip.Addr
	Roles   []Role
}

// Role is what a host is for.
type Role string

// The roles. A gateway host has one or more gateways; "ollama" also has Ollama.
const (
	RoleKeycloak Role = "keycloak"
	RoleOllama   Role = "ollama"
	RoleGateway  Role = "gateway"
)

// Has reports whether the host has the role.
func (h Host) Has(r Role) bool { return slices.Contains(h.Roles, r) }

// Issuer is the identity provider's host.
func (s Stack) Issuer() Host {
	for _, h := range s.Hosts {
		if h.Has(RoleKeycloak) {
			return h
		}
	}
	return Host{}
}

// PublicURL is Keycloak's public base, without a trailing slash.
func (s Stack) PublicURL() string { return "https://" + s.Issuer().FQDN }

// IssuerURL is the realm's issuer, byte for byte.
func (s Stack) IssuerURL() string { return s.PublicURL() + "/realms/" + s.Realm.Name }

// ACME is how certificates are had.
type ACME struct {
	Server  string // directory URL; empty means Let's Encrypt, certbot's default
	Email   string // empty registers without one
	Webroot string
	// RenewBefore is when a certificate counts as expiring: after certbot's
	// own renewal (30 days) must have succeeded several times.
	RenewBefore time.Duration
}

// Postgres is Keycloak's database.
type Postgres struct {
	Database, Role string
	Port           int
}

// Keycloak is the server's own configuration.
type Keycloak struct {
	Version   string // of the pinned archive, where there is no package
	URL       string // of the archive; empty means Maven Central
	SHA256    string
	User      string // service user and group
	Home      string // link to the unpacked archive: /opt/keycloak
	Dir       string // configuration: /etc/keycloak
	Port      int    // HTTPS on ::1
	Mgmt      int    // management on ::1, plain HTTP
	Heap      string // -Xmx value
	AdminUser string // the permanent administrator in master
}

// Certs is the directory of the certificate copies.
func (k Keycloak) Certs() string { return k.Dir + "/certs" }

// Conf is the path of keycloak.conf.
func (k Keycloak) Conf() string { return k.Dir + "/keycloak.conf" }

// Realm is the site's realm.
type Realm struct {
	Name, Display string
	Clients       []Client
	Roles         []RealmRole
	AdminsGroup   string
	// Lifetimes of tokens and sessions.
	AccessToken, SessionIdle, SessionMax time.Duration
}

// A Client of the realm.
type Client struct {
	ID              string
	Public          bool
	ServiceAccount  bool
	RootURL         string
	Redirects       []string
	PostLogout      string // "+" means: as the redirects
	Audience, Group bool   // its own audience in access tokens; the groups claim
	FullScope       bool
}

// A RealmRole is one role of the realm.
type RealmRole struct{ Name, Description string }

// A Gateway is one application behind a login.
type Gateway struct {
	Name     string
	Host     string // key of the host it runs on
	FQDN     string
	Upstream string // "http://[::1]:11434"
	Client   string // client ID at the issuer
}

// Firewall of a host.
type Firewall struct {
	Admin []netip.Prefix // sources of administration; empty leaves sshd's ports open
	Allow []uint16       // further TCP ports from anywhere
}

// Backups of the identity host.
type Backups struct {
	Dir    string
	Keep   time.Duration // retention
	MaxAge time.Duration // older than this the newest one is stale
	At     string        // systemd calendar time or HH:MM
}

// Network facts of Self, where the site file gives them; learned otherwise.
type Network struct {
	Interface string
	Prefix    int
	Gateway   netip.Addr
}

// Exporters of a host.
type Exporters struct {
	Listen string // "[::1]:9465"
}

// Admin is the engine's standing identity at Keycloak: a service account with
// realm-admin of the one realm.
func (s Stack) Admin(secret host.Secret) host.Admin {
	return host.Admin{Public: s.PublicURL(), Dial: s.KeycloakAddr(), Realm: s.Realm.Name, Client: AdminClient, Secret: secret}
}

// AdminClient is the client ID of the engine's service account.
const AdminClient = "watchdog"

// KeycloakAddr is where Keycloak listens: "[::1]:8443".
func (s Stack) KeycloakAddr() string {
	return netip.AddrPortFrom(netip.IPv6Loopback(), uint16(s.Keycloak.Port)).String()
}

// MgmtAddr is where its management interface listens: "[::1]:9000".
func (s Stack) MgmtAddr() string {
	return netip.AddrPortFrom(netip.IPv6Loopback(), uint16(s.Keycloak.Mgmt)).String()
}

// Lineage is certbot's directory of the host's certificate.
func (s Stack) Lineage() string { return "/etc/letsencrypt/live/" + s.Self.FQDN }

// Names of the generated secrets in [host.SecretDir].
const (
	SecretDatabase = "keycloak-db"      // Keycloak's database password
	SecretAdmin    = "keycloak-admin"   // the permanent administrator's password
	SecretService  = "keycloak-service" // the engine's service account
)
