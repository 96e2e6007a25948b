// Package postgres looks at Keycloak's database from both sides: as Keycloak
// does, by each of the paths a client can take ([Login], [Auth]), and as the
// superuser ([Server], [Catalogue]).
//
// Where it stands: Stack ─▶ [probes ─▶ findings] ─▶ Diagnose.
//
//	p := postgres.Login{Path: postgres.V6, Port: 5432, Role: "keycloak", Database: "keycloak", Secret: "keycloak-db"}
//	found, err := p.Observe(ctx, h)
//
// Faults are told apart by SQLSTATE and by the errors of the system, never by
// the server's words alone: those come in its own language.
package postgres

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// The faults of the database. The subject of what befalls one path is the
// path; of what the catalogue tells, the role or the database.
const (
	Down               probes.Code = "postgres.down"
	Hung               probes.Code = "postgres.hung"
	TooManyConnections probes.Code = "postgres.too-many-connections"
	NotListeningV4     probes.Code = "postgres.not-listening-v4"
	NotListeningV6     probes.Code = "postgres.not-listening-v6"
	NoHBAEntry         probes.Code = "postgres.no-hba-entry"
	PasswordRejected   probes.Code = "postgres.password-rejected"
	LoginRefused       probes.Code = "postgres.login-refused"
	RoleMissing        probes.Code = "postgres.role-missing"
	RoleNoLogin        probes.Code = "postgres.role-nologin"
	DatabaseMissing    probes.Code = "postgres.database-missing"
	VerifierNotSCRAM   probes.Code = "postgres.verifier-not-scram"
	PasswordDrift      probes.Code = "postgres.password-drift"
	NotOwner           probes.Code = "postgres.not-owner"
	MajorMismatch      probes.Code = "postgres.major-mismatch"
	AuthTrust          probes.Code = "postgres.auth-trust"
	AuthMD5            probes.Code = "postgres.auth-md5"
	AuthCleartext      probes.Code = "postgres.auth-cleartext"
)

// timeout is the most a look may take.
const timeout = 3 * time.Second

// A Path is a way to the server; its text is the subject of findings.
type Path string

// The paths that the site's pg_hba.conf has lines for.
const (
	Socket Path = "socket"
	V4     Path = "127.0.0.1"
	V6     Path = "::1"
)

// Paths lists all of them.
var Paths = []Path{Socket, V4, V6}

// word is the path's part of a probe's ID.
func (p Path) word() string {
	switch p {
	case V4:
		return "v4"
	case V6:
		return "v6"
	}
	return "socket"
}

// address returns what to dial.
func (p Path) address(h *host.Host, port int) (network, address string) {
	switch p {
	case V4, V6:
		network = "tcp6"
		if p == V4 {
			network = "tcp4"
		}
		return network, netip.AddrPortFrom(netip.MustParseAddr(string(p)), uint16(port)).String()
	}
	return "unix", h.Facts.Layout.PostgresSock + "/.s.PGSQL." + strconv.Itoa(port)
}

// dial connects by the path.
func (p Path) dial(ctx context.Context, h *host.Host, port int) (net.Conn, error) {
	network, address := p.address(h, port)
	return h.Net.Dial(ctx, network, address)
}

// psql is the command by which a person takes the same path.
func (p Path) psql(h *host.Host, port int, role, database string) string {
	where := string(p)
	if p == Socket {
		where = h.Facts.Layout.PostgresSock
	}
	return "psql -h " + where + " -p " + strconv.Itoa(port) + " -U " + role + " -d " + database + " -c 'select 1'"
}
