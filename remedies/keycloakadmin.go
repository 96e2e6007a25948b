package remedies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"watchdog/probes/host"
)

// SecretBootstrap is the name of the secret of a temporary service account in
// master. It exists only while [KeycloakAdmin] needs that account: found at any
// other time, it says that a run was killed, and lets the next one clean up.
const SecretBootstrap = "keycloak-bootstrap"

// bootstrapPrefix begins the client IDs of temporary service accounts.
const bootstrapPrefix = "watchdog-bootstrap-"

// KeycloakAdmin makes the identities that everything else in Keycloak is done
// by: the permanent administrator of people, the realm, and the engine's
// service account, which is realm-admin of that realm and of nothing else.
//
// Who nobody knows yet gets in by `kc.sh bootstrap-admin`, as a temporary
// service account in master, which needs the database's password and no other
// and works beside a running server (Keycloak 26). It is deleted at the end,
// and with it every temporary administrator that somebody else left behind.
type KeycloakAdmin struct {
	Server KeycloakServer
	Realm  RealmSite
	User   string // the permanent administrator in master
	// Password and Service name the secrets of that administrator and of the
	// service account.
	Password, Service string
}

// Spec implements [Remedy].
func (r KeycloakAdmin) Spec() Spec {
	return Spec{ID: "keycloak.admin", Summary: "make Keycloak's administrator and the service account", Timeout: 4 * time.Minute, NeedsSecret: true}
}

// Plan implements [Remedy]. On a host that has no Keycloak yet the step is
// planned, and looks again when its turn comes. One that has it and gets no
// answer from it could not look, which is no reason to change anything.
func (r KeycloakAdmin) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	step, waits, err := r.access(h)
	if err != nil {
		return Plan{}, err
	}
	if len(waits) > 0 {
		return Plan{Waits: waits, Steps: []Step{step}}, nil
	}
	done, err := step.Done(ctx, h)
	if err != nil && !r.Server.absent(ctx, h) {
		return Plan{}, err
	}
	if done && err == nil {
		return Plan{}, nil
	}
	return Plan{Steps: []Step{step}}, nil
}

func (r KeycloakAdmin) access(h *host.Host) (adminAccess, []string, error) {
	secrets, waits, err := secretsOf(h, r.Password, r.Service)
	if err != nil {
		return adminAccess{}, nil, err
	}
	return adminAccess{KeycloakAdmin: r, password: secrets[0], service: r.Realm.admin(r.Server, secrets[1])}, waits, nil
}

// adminAccess is the one step of [KeycloakAdmin].
type adminAccess struct {
	KeycloakAdmin
	password host.Secret
	service  host.Admin
}

func (s adminAccess) String() string {
	return fmt.Sprintf("make administrator %s and service account %s of realm %s", s.User, s.service.Client, s.Realm.Name)
}

// Done implements [Step].
func (s adminAccess) Done(ctx context.Context, h *host.Host) (bool, error) {
	left, err := h.Secret(SecretBootstrap)
	if err != nil || !left.Missing() {
		return false, err
	}
	if s.temporaries(ctx, h) {
		return false, nil
	}
	return s.works(ctx, h)
}

// works reports whether the service account gets in, to a realm that is
// enabled. Any refusal counts as no; no answer is an error. It asks with a new
// token: one that was kept is good for the roles that the account once had.
func (s adminAccess) works(ctx context.Context, h *host.Host) (bool, error) {
	h.AdminForget(s.service)
	var realm struct{ Enabled bool }
	err := h.AdminGet(ctx, s.service, url.PathEscape(s.Realm.Name), &realm)
	if status := host.AdminStatus(err); status >= 400 && status < 500 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("use service account %s: %w", s.service.Client, err)
	}
	return realm.Enabled, nil
}

// temporaryQuery counts the identities in master that a bootstrap made, its tables
// named in full as for every session of the superuser. It is
// the marks of Keycloak 26 and later.
const temporaryQuery = `select 1 from public.realm r where r.name = 'master' and (
	exists (select from public.user_entity u join public.user_attribute a on a.user_id = u.id
		where u.realm_id = r.id and a.name = 'is_temporary_admin' and a.value = 'true') or
	exists (select from public.client c join public.client_attributes a on a.client_id = c.id
		where c.realm_id = r.id and a.name = 'is_temporary_admin' and a.value = 'true'))`

// temporaries reports whether there are temporary administrators in master,
// which the service account may not see. That they can't be seen in the
// database either is no reason to make a new one.
func (s adminAccess) temporaries(ctx context.Context, h *host.Host) bool {
	rows, err := h.DB.Query(ctx, s.Server.Database, temporaryQuery)
	return err == nil && len(rows) > 0
}

// Do implements [Step]. Each of its parts finds what an earlier, killed run has
// done; the temporary account goes last.
func (s adminAccess) Do(ctx context.Context, w Hands, h *host.Host) error {
	if err := s.Server.Ready(ctx, h); err != nil {
		return err
	}
	works, err := s.works(ctx, h)
	if err != nil {
		return err
	}
	b, in, err := s.left(ctx, h)
	if err != nil {
		return err
	}
	if !in && works && !s.temporaries(ctx, h) {
		return s.forget(ctx, w, h) // the last thing that the killed run had to do
	}
	if !in {
		if b, err = s.bootstrap(ctx, w, h); err != nil {
			return err
		}
	}
	master := masterRealm{w: w, h: h, as: b}
	if err := master.administrator(ctx, s.User, s.password); err != nil {
		return err
	}
	if !works {
		if err := s.account(ctx, h, master); err != nil {
			return err
		}
	}
	if err := master.retire(ctx); err != nil {
		return err
	}
	return s.forget(ctx, w, h)
}

// account lets the service account in, and proves it. One that only had to wait
// for its realm is left as it is.
func (s adminAccess) account(ctx context.Context, h *host.Host, master masterRealm) error {
	if err := master.realm(ctx, s.Realm); err != nil {
		return err
	}
	if works, err := s.works(ctx, h); works || err != nil {
		return err
	}
	if err := master.serviceAccount(ctx, s.Realm, s.service); err != nil {
		return err
	}
	works, err := s.works(ctx, h)
	if err == nil && !works {
		err = fmt.Errorf("make service account %s: it was made and is refused", s.service.Client)
	}
	return err
}

// left returns the temporary service account whose secret is written down, if
// there is one, and whether it gets in.
func (s adminAccess) left(ctx context.Context, h *host.Host) (b host.Admin, in bool, err error) {
	secret, err := h.Secret(SecretBootstrap)
	if err != nil || secret.Missing() {
		return host.Admin{}, false, err
	}
	sum := sha256.Sum256([]byte(secret.Reveal()))
	b = s.service
	b.Realm, b.Client, b.Secret = "master", bootstrapPrefix+hex.EncodeToString(sum[:6]), secret
	h.AdminForget(b)
	_, err = h.AdminToken(ctx, b)
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusBadRequest) {
		return b, false, nil
	}
	return b, err == nil, err
}

// bootstrap makes a temporary service account in master. Its secret is written
// down first, or nobody could delete the account after a crash.
func (s adminAccess) bootstrap(ctx context.Context, w Hands, h *host.Host) (host.Admin, error) {
	if err := (GenerateSecret{SecretBootstrap}).ensure(ctx, w, h); err != nil {
		return host.Admin{}, err
	}
	b, _, err := s.left(ctx, h)
	if err != nil {
		return host.Admin{}, err
	}
	out, err := w.Run(ctx, Command{
		Name: "kc-bootstrap-service",
		Args: []string{b.Client},
		Env:  map[string]host.Secret{"WATCHDOG_SECRET": b.Secret},
	})
	// Neither its exit status nor its silence can be trusted: only a token can.
	b, in, refused := s.left(ctx, h)
	if !in {
		return host.Admin{}, errors.Join(errors.New("make a temporary administrator: it is refused"), refused, err, complaint(out))
	}
	return b, nil
}

// ensure generates the secret if it is missing.
func (s GenerateSecret) ensure(ctx context.Context, w Hands, h *host.Host) error {
	done, err := s.Done(ctx, h)
	if err != nil || done {
		return err
	}
	return s.Do(ctx, w, h)
}

// complaint returns the error lines of a Keycloak command's log, nil when it
// has none.
func complaint(out []byte) error {
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "ERROR") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines[max(0, len(lines)-3):], "; "))
}

// forget removes the bootstrap's secret: the mark that all is done.
func (s adminAccess) forget(ctx context.Context, w Hands, h *host.Host) error {
	path := host.SecretDir + "/" + SecretBootstrap
	n, err := h.FS.Node(path)
	if err != nil {
		return err
	}
	return w.Write(ctx, path, n, nil)
}

// isStatus reports whether err is Keycloak's answer of that status.
func isStatus(err error, status int) bool { return host.AdminStatus(err) == status }

// notFound reports whether Keycloak said that there is no such thing.
func notFound(err error) bool { return isStatus(err, http.StatusNotFound) }
