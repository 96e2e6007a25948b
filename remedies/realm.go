package remedies

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"watchdog/probes/host"
)

// A RealmSite is the realm as the site wants it.
type RealmSite struct {
	Name, Display string
	Account       string // client ID of the engine's service account
	Clients       []RealmClient
	Roles         []RealmRole
	AdminsGroup   string // its members administer the realm
	// AccessToken is how long an access token lives; a session ends after
	// SessionIdle without use and after SessionMax anyway.
	AccessToken, SessionIdle, SessionMax time.Duration
}

// A RealmClient is one client of the realm. All of them use the authorization
// code flow with PKCE (S256) and no other.
type RealmClient struct {
	ID             string
	Public         bool // it has no secret
	ServiceAccount bool
	RootURL        string
	Redirects      []string // a wildcard counts at the end only
	PostLogout     string   // "+" means: as the redirects
	Audience       bool     // its own ID among the audiences of access tokens
	Groups         bool     // the claim "groups"
	// FullScope puts every role of the user into the token. Without it an
	// administrator's token is no key to the realm in the hands of a client.
	FullScope bool
}

// A RealmRole is one role of the realm.
type RealmRole struct{ Name, Description string }

// admin is the engine's service account.
func (s RealmSite) admin(k KeycloakServer, secret host.Secret) host.Admin {
	return host.Admin{Public: k.Public, Dial: loopback(k.Port), Realm: s.Name, Client: s.Account, Secret: secret}
}

// Realm converges the realm with what the site says, through the admin REST
// interface, as the engine's service account. Of what is there it changes only
// the fields that differ, and keeps all that it does not know. It deletes no
// client, user, role or scope.
//
// Where the service account does not get in – the realm is missing or disabled,
// somebody deleted the account – its plan begins with the step of
// [KeycloakAdmin].
type Realm struct{ Admin KeycloakAdmin }

// Spec implements [Remedy].
func (r Realm) Spec() Spec {
	return Spec{ID: "realm", Summary: "bring realm " + r.Admin.Realm.Name + " to what the site says", Timeout: 5 * time.Minute, NeedsSecret: true}
}

// Plan implements [Remedy]. Each step's words say what differs. Where nobody can
// tell yet – there is no Keycloak, or the account does not get in – they only
// name what will be looked at.
func (r Realm) Plan(ctx context.Context, h *host.Host) (Plan, error) {
	access, waits, err := r.Admin.access(h)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Waits: waits}
	seen := false
	if len(waits) == 0 {
		if seen, err = access.works(ctx, h); err != nil && !r.Admin.Server.absent(ctx, h) {
			return Plan{}, err
		}
	}
	if !seen {
		p.Steps = append(p.Steps, access)
	}
	api := realmAPI{h: h, as: access.service, realm: url.PathEscape(r.Admin.Realm.Name)}
	objects, err := r.objects(h)
	if err != nil {
		return Plan{}, err
	}
	for _, o := range objects {
		s := realmStep{object: o, as: access.service, realm: api.realm}
		if seen {
			changes, err := o.changes(ctx, api)
			if err != nil {
				return Plan{}, fmt.Errorf("look at %s: %w", o, err)
			}
			if len(changes) == 0 {
				continue
			}
			for _, c := range changes {
				s.what = append(s.what, c.what)
			}
		}
		p.Steps = append(p.Steps, s)
	}
	return p, nil
}

// objects lists what is converged, in the order in which one needs the other.
func (r Realm) objects(h *host.Host) ([]realmObject, error) {
	site := r.Admin.Realm
	version, err := r.Admin.Server.installed(h)
	if err != nil {
		return nil, err
	}
	scopes, err := builtinScopes(version)
	if err != nil {
		return nil, err
	}
	out := []realmObject{realmSettings{site}, realmScopes{scopes}}
	for _, role := range site.Roles {
		out = append(out, realmRole{role})
	}
	for _, c := range site.Clients {
		out = append(out, realmClient{client: c, scopes: scopes})
	}
	out = append(out, accountClient(site.Account, scopes))
	if site.AdminsGroup != "" {
		out = append(out, realmGroup{site})
	}
	return out, nil
}

// A realmObject is one thing in a realm that is converged by itself.
type realmObject interface {
	String() string // "client ollama-gw"
	// changes lists the requests that bring it closer to what it should be;
	// there may be more after those. None means that it is right.
	changes(ctx context.Context, api realmAPI) ([]realmChange, error)
}

// A realmChange is one request, with its meaning in words.
type realmChange struct {
	what         string
	method, path string // path below the realm
	body         any
}

// realmAPI reads one realm.
type realmAPI struct {
	h     *host.Host
	as    host.Admin
	realm string // as in a path
}

func (a realmAPI) get(ctx context.Context, path string, reply any) error {
	return a.h.AdminGet(ctx, a.as, strings.TrimSuffix(a.realm+"/"+path, "/"), reply)
}

// realmStep converges one object.
type realmStep struct {
	object realmObject
	as     host.Admin
	realm  string
	what   []string
}

func (s realmStep) String() string {
	if len(s.what) == 0 {
		return "bring " + s.object.String() + " to what the site says"
	}
	return s.object.String() + ": " + strings.Join(s.what, "; ")
}

func (s realmStep) api(h *host.Host) realmAPI { return realmAPI{h: h, as: s.as, realm: s.realm} }

// Done implements [Step].
func (s realmStep) Done(ctx context.Context, h *host.Host) (bool, error) {
	changes, err := s.object.changes(ctx, s.api(h))
	return err == nil && len(changes) == 0, err
}

// rounds bounds how often an object is looked at again: it is created, then it
// has mappers, then roles.
const rounds = 5

// Do implements [Step].
func (s realmStep) Do(ctx context.Context, w Hands, h *host.Host) error {
	var left []string
	for range rounds {
		changes, err := s.object.changes(ctx, s.api(h))
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return nil
		}
		left = left[:0]
		for _, c := range changes {
			path := strings.TrimSuffix(s.realm+"/"+c.path, "/")
			if _, err := w.Admin(ctx, s.as, c.method, path, c.body, nil); err != nil {
				return fmt.Errorf("%s: %w", c.what, err)
			}
			left = append(left, c.what)
		}
	}
	return fmt.Errorf("it stays as it is after %s", strings.Join(left, "; "))
}
