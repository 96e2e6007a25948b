// Package hands is the only code of the program that changes a machine: files,
// services, a closed list of commands, SQL, Keycloak's admin interface, and
// archives unpacked.
//
// Where it stands: … remedy: plan ─▶ [apply] ─▶ probes again (the proof).
//
//	w := hands.New(h, hands.Options{})
//	err := plan.Apply(ctx, w, h, nil)
//
// It decides nothing and judges nothing: each method does the one thing it is
// told, whole or not at all, or says in its error what stood in the way. What
// differs between service managers is behind one small interface, chosen by
// [host.Facts].
package hands

import (
	"cmp"
	"os"
	"path/filepath"
	"sync"
	"time"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// Options of the hands. The zero value is right for a real machine but for
// Keycloak, whose place the site file may choose.
type Options struct {
	// Root is put before every file name, for tests. Programs are not run in
	// it, and owners are those of the machine itself.
	Root string
	// KeycloakHome has kc.sh in its bin directory, KeycloakConf is
	// keycloak.conf, KeycloakUser whom it runs as. Empty, they are
	// /opt/keycloak, /etc/keycloak/keycloak.conf and keycloak.
	KeycloakHome, KeycloakConf, KeycloakUser string
	// Lock, when not nil, gives the open file whose lock (flock(2)) keeps
	// others from changing the machine, or nil while it is not held.
	Lock func() *os.File
}

// New returns the hands for the machine that h sees.
func New(h *host.Host, o Options) *Hands {
	o.KeycloakHome = cmp.Or(o.KeycloakHome, "/opt/keycloak")
	o.KeycloakConf = cmp.Or(o.KeycloakConf, "/etc/keycloak/keycloak.conf")
	o.KeycloakUser = cmp.Or(o.KeycloakUser, "keycloak")
	return &Hands{h: h, o: o, services: driver(h.Facts.Init), programs: programs, grace: grace}
}

// Hands implements [remedies.Hands]. Its methods may be called from several
// goroutines.
type Hands struct {
	h        *host.Host
	o        Options
	services services
	programs map[string]program
	grace    time.Duration
	writing  sync.Mutex // held by Write: a temporary name belongs to one of them
}

var _ remedies.Hands = (*Hands)(nil)

// path is where the machine's file of that name is.
func (w *Hands) path(name string) string { return filepath.Join(w.o.Root, name) }
