package remedies

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"watchdog/probes/host"
)

// masterRealm is Keycloak through the eyes of a temporary administrator.
type masterRealm struct {
	w  Hands
	h  *host.Host
	as host.Admin
}

// An importUser is a user as partial imports take it: with its roles, all in
// one transaction.
type importUser struct {
	Username       string              `json:"username"`
	Enabled        bool                `json:"enabled"`
	RealmRoles     []string            `json:"realmRoles,omitempty"`
	ClientRoles    map[string][]string `json:"clientRoles,omitempty"`
	ServiceAccount string              `json:"serviceAccountClientId,omitempty"`
	Credentials    []importCredential  `json:"credentials,omitempty"`
}

type importCredential struct {
	Type      string `json:"type"`
	Value     string `json:"value"`
	Temporary bool   `json:"temporary"`
}

type importClient struct {
	ClientID        string `json:"clientId"`
	Name            string `json:"name"`
	Enabled         bool   `json:"enabled"`
	Public          bool   `json:"publicClient"`
	ServiceAccounts bool   `json:"serviceAccountsEnabled"`
	StandardFlow    bool   `json:"standardFlowEnabled"`
	Secret          string `json:"secret"`

	Mappers []mapper `json:"protocolMappers"`
}

// partialImport is one transaction that adds users and clients to a realm.
type partialImport struct {
	IfExists string         `json:"ifResourceExists"` // SKIP or OVERWRITE
	Users    []importUser   `json:"users,omitempty"`
	Clients  []importClient `json:"clients,omitempty"`
}

// administrator makes the permanent administrator. One that exists keeps its
// password, which a person may have changed; a temporary one of that name is
// replaced, as its password was once in somebody's environment.
func (m masterRealm) administrator(ctx context.Context, name string, password host.Secret) error {
	temporary, err := m.temporaryUsers(ctx)
	if err != nil {
		return err
	}
	imp := partialImport{IfExists: "SKIP", Users: []importUser{{
		Username: name, Enabled: true, RealmRoles: []string{"admin", "default-roles-master"},
		Credentials: []importCredential{{Type: "password", Value: password.Reveal()}},
	}}}
	for _, u := range temporary {
		if u.Username == name {
			imp.IfExists = "OVERWRITE"
		}
	}
	if _, err := m.w.Admin(ctx, m.as, http.MethodPost, "master/partialImport", imp, nil); err != nil {
		return fmt.Errorf("make administrator %s: %w", name, err)
	}
	return nil
}

// realm makes the realm, if it is missing, and enables it.
func (m masterRealm) realm(ctx context.Context, realm RealmSite) error {
	path := url.PathEscape(realm.Name)
	var got struct{ Enabled bool }
	err := m.h.AdminGet(ctx, m.as, path, &got)
	switch {
	case notFound(err):
		_, err = m.w.Admin(ctx, m.as, http.MethodPost, "", map[string]any{"realm": realm.Name, "enabled": true}, nil)
	case err == nil && !got.Enabled:
		_, err = m.w.Admin(ctx, m.as, http.MethodPut, path, map[string]any{"enabled": true}, nil)
	}
	if err != nil {
		return fmt.Errorf("make realm %s: %w", realm.Name, err)
	}
	return nil
}

// serviceAccount makes the realm's service account with realm-admin. An account
// that is not accepted any more is made anew; nothing else in the realm is
// touched.
func (m masterRealm) serviceAccount(ctx context.Context, realm RealmSite, account host.Admin) error {
	imp := partialImport{
		IfExists: "OVERWRITE",
		Clients: []importClient{{
			ClientID: account.Client, Name: "The watchdog of this site", Enabled: true, ServiceAccounts: true,
			Secret: account.Secret.Reveal(), Mappers: accountClient(account.Client, nil).client.mappers(),
		}},
		Users: []importUser{{
			Username: "service-account-" + account.Client, Enabled: true, ServiceAccount: account.Client,
			ClientRoles: map[string][]string{"realm-management": {"realm-admin"}},
		}},
	}
	if _, err := m.w.Admin(ctx, m.as, http.MethodPost, url.PathEscape(realm.Name)+"/partialImport", imp, nil); err != nil {
		return fmt.Errorf("make service account %s: %w", account.Client, err)
	}
	return nil
}

type namedUser struct{ ID, Username string }

// temporaryUsers lists the users of master that a bootstrap made.
func (m masterRealm) temporaryUsers(ctx context.Context) ([]namedUser, error) {
	var users []namedUser
	err := m.h.AdminGet(ctx, m.as, "master/users?q=is_temporary_admin:true", &users)
	if err != nil {
		return nil, fmt.Errorf("list temporary administrators: %w", err)
	}
	return users, nil
}

// retire deletes every temporary administrator: users first, then our own
// service accounts, the one in use last.
func (m masterRealm) retire(ctx context.Context) error {
	users, err := m.temporaryUsers(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := m.remove(ctx, "master/users/"+u.ID); err != nil {
			return fmt.Errorf("delete temporary administrator %s: %w", u.Username, err)
		}
	}
	var clients []struct {
		ID, ClientID string
		Attributes   map[string]string
	}
	if err := m.h.AdminGet(ctx, m.as, "master/clients", &clients); err != nil {
		return fmt.Errorf("list temporary administrators: %w", err)
	}
	own := ""
	for _, c := range clients {
		switch {
		case c.ClientID == m.as.Client:
			own = c.ID
		case c.Attributes["is_temporary_admin"] == "true", strings.HasPrefix(c.ClientID, bootstrapPrefix):
			if err := m.remove(ctx, "master/clients/"+c.ID); err != nil {
				return fmt.Errorf("delete temporary administrator %s: %w", c.ClientID, err)
			}
		}
	}
	if own == "" {
		return nil
	}
	if err := m.remove(ctx, "master/clients/"+own); err != nil {
		return fmt.Errorf("delete temporary administrator %s: %w", m.as.Client, err)
	}
	m.h.AdminForget(m.as)
	return nil
}

// remove deletes; what is gone already is as good.
func (m masterRealm) remove(ctx context.Context, path string) error {
	_, err := m.w.Admin(ctx, m.as, http.MethodDelete, path, nil, nil)
	if notFound(err) {
		return nil
	}
	return err
}
