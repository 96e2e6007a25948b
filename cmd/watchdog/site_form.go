package main

import "watchdog/rules"

// The types of this file are the site file as it is written; their comments
// and tags make its JSON schema. What they become is rules.Stack.

// siteForm is one site: the same file on every host.
type siteForm struct {
	// Domain below which the public names lie.
	Domain string `yaml:"domain" jsonschema:"required"`
	// Hosts of the site by short host name. Exactly one has the role keycloak.
	Hosts siteMap[siteHost] `yaml:"hosts" jsonschema:"required"`
	// ACME is how certificates are had.
	ACME siteACME `yaml:"acme"`
	// Postgres is Keycloak's database.
	Postgres sitePostgres `yaml:"postgres"`
	// Keycloak is the server itself.
	Keycloak siteKeycloak `yaml:"keycloak"`
	// Realm is where the site's users and clients are.
	Realm siteRealm `yaml:"realm"`
	// Gateways are the applications behind a login. Without this key there is one, ollama, if a host has that role.
	Gateways []siteGateway `yaml:"gateways"`
	// Firewall of every host.
	Firewall siteFirewall `yaml:"firewall,omitempty"`
	// Backups of Keycloak's database.
	Backups siteBackups `yaml:"backups"`
	// Mode says who lets a remedy run, for the whole site; it only tightens what the book says.
	Mode rules.Mode `yaml:"mode" jsonschema:"enum=auto,enum=ask,enum=observe"`
	// Modes by code, where the site is stricter than the book.
	Modes siteMap[rules.Mode] `yaml:"modes,omitempty"`
	// Exporters tell others what the engine sees.
	Exporters siteExporters `yaml:"exporters"`
}

// siteHost is one machine.
type siteHost struct {
	// Address is its public IPv6 address.
	Address string `yaml:"address" jsonschema:"required"`
	// Roles are what it is for. A host with the role ollama or gateway has gateways; a host with the role keycloak has none.
	Roles []rules.Role `yaml:"roles,flow" jsonschema:"required,enum=keycloak,enum=ollama,enum=gateway"`
	// FQDN is its public name: idp.DOMAIN for the role keycloak, else its short name and DOMAIN.
	FQDN string `yaml:"fqdn"`
	// Interface that carries the address; found out at install when it is not given.
	Interface string `yaml:"interface,omitempty"`
	// Prefix is the length of its network's prefix in bits; found out at install when it is not given.
	Prefix int `yaml:"prefix,omitempty" jsonschema:"minimum=1,maximum=128"`
	// Gateway is its router's address; found out at install when it is not given.
	Gateway string `yaml:"gateway,omitempty"`
}

// siteACME is how certificates are had.
type siteACME struct {
	// Server is the URL of the ACME directory; Let's Encrypt when it is not given.
	Server string `yaml:"server,omitempty"`
	// Email address of the account; none when it is not given.
	Email string `yaml:"email,omitempty"`
	// Webroot is the directory of http-01 challenges.
	Webroot string `yaml:"webroot"`
	// RenewBefore is how long before its end a certificate counts as expiring; at most 30d, when certbot first tries.
	RenewBefore siteDuration `yaml:"renew_before"`
}

// sitePostgres is Keycloak's database.
type sitePostgres struct {
	// Database that Keycloak owns.
	Database string `yaml:"database"`
	// Role that Keycloak logs in with.
	Role string `yaml:"role"`
	// Port on both loopbacks.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
}

// siteKeycloak is the server itself.
type siteKeycloak struct {
	// Version of the archive, as 26.7.0.
	Version string `yaml:"version"`
	// URL of the archive; Maven Central when it is not given.
	URL string `yaml:"url,omitempty"`
	// SHA256 of the archive in hex; needed for every version but the built-in one.
	SHA256 string `yaml:"sha256" jsonschema:"pattern=^[0-9a-f]{64}$"`
	// User and group of the service.
	User string `yaml:"user"`
	// Home is the link to the unpacked archive.
	Home string `yaml:"home"`
	// Dir holds its configuration and its copies of the certificates.
	Dir string `yaml:"dir"`
	// Port of HTTPS on ::1.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// ManagementPort of health and metrics on ::1.
	ManagementPort int `yaml:"management_port" jsonschema:"minimum=1,maximum=65535"`
	// Heap is the most memory of its Java heap, as 512m or 2g.
	Heap string `yaml:"heap" jsonschema:"pattern=^[1-9][0-9]*[kKmMgG]$"`
	// Admin is the permanent administrator's name in the realm master.
	Admin string `yaml:"admin"`
}

// siteRealm is where the site's users and clients are.
type siteRealm struct {
	// Name in URLs. It is part of the issuer: changing it later changes every client.
	Name string `yaml:"name"`
	// Display is the name that people see at the login.
	Display string `yaml:"display"`
	// Clients of the realm besides those made for the gateways. Without this key they are the guide's director and ha-bridge, if a host has the role ollama.
	Clients []siteClient `yaml:"clients"`
	// Roles of the realm.
	Roles []siteRole `yaml:"roles"`
	// AdminsGroup is the group whose members administer the realm.
	AdminsGroup string `yaml:"admins_group"`
	// AccessToken is how long an access token is good.
	AccessToken siteDuration `yaml:"access_token"`
	// SessionIdle ends a session that nobody uses.
	SessionIdle siteDuration `yaml:"session_idle"`
	// SessionMax ends every session.
	SessionMax siteDuration `yaml:"session_max"`
}

// siteClient is a client of the realm: an application that logs people in.
type siteClient struct {
	// ID of the client.
	ID string `yaml:"id" jsonschema:"required"`
	// Public clients run where a secret cannot be kept, and have none.
	Public bool `yaml:"public"`
	// ServiceAccount lets the client have tokens of its own.
	ServiceAccount bool `yaml:"service_account"`
	// RootURL of the application; https://ID.DOMAIN when it is not given.
	RootURL string `yaml:"root_url"`
	// Redirects lists each callback. A wildcard stands at the end of a path only. RootURL and /* when it is not given.
	Redirects []string `yaml:"redirects"`
	// PostLogout is where people may be sent after logging out; + stands for the redirects.
	PostLogout string `yaml:"post_logout"`
	// Audience puts the client itself into the audience of its access tokens.
	Audience bool `yaml:"audience"`
	// Groups puts the user's groups into its tokens.
	Groups bool `yaml:"groups"`
	// FullScope puts all the user's roles into its tokens.
	FullScope bool `yaml:"full_scope"`
}

// siteRole is a role of the realm.
type siteRole struct {
	// Name of the role.
	Name string `yaml:"name" jsonschema:"required"`
	// Description for people.
	Description string `yaml:"description,omitempty"`
}

// siteGateway is an application behind a login.
type siteGateway struct {
	// Name of the gateway.
	Name string `yaml:"name" jsonschema:"required"`
	// Host it runs on, by short name; the only one with the role ollama or gateway when it is not given.
	Host string `yaml:"host"`
	// FQDN is its public name; NAME.DOMAIN when it is not given.
	FQDN string `yaml:"fqdn"`
	// Upstream is the application's URL on a loopback of that host; http://[::1]:11434 for the gateway ollama.
	Upstream string `yaml:"upstream"`
	// Client of the realm that it logs people in with; NAME-gw when it is not given.
	Client string `yaml:"client"`
}

// siteFirewall of every host.
type siteFirewall struct {
	// Admin lists the IPv6 networks that may administer the hosts. Without it the ports of sshd stay open to all.
	Admin []string `yaml:"admin,omitempty"`
	// Allow lists further TCP ports that are open to all.
	Allow []int `yaml:"allow,omitempty" jsonschema:"minimum=1,maximum=65535"`
}

// siteBackups of Keycloak's database.
type siteBackups struct {
	// Dir of the dumps.
	Dir string `yaml:"dir"`
	// Keep is how long a dump is kept.
	Keep siteDuration `yaml:"keep"`
	// MaxAge of the newest dump before it counts as stale.
	MaxAge siteDuration `yaml:"max_age"`
	// At is the time of day, as 02:30.
	At string `yaml:"at" jsonschema:"pattern=^([01][0-9]|2[0-3]):[0-5][0-9]$"`
}

// siteExporters tell others what the engine sees.
type siteExporters struct {
	// Listen is the address and port of metrics and status page.
	Listen string `yaml:"listen"`
}
