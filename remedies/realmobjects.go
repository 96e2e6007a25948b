package remedies

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// realmSettings are the realm's own fields.
type realmSettings struct{ site RealmSite }

// settingsFields is what the site says of a realm.
type settingsFields struct {
	DisplayName           string            `json:"displayName"`
	Enabled               bool              `json:"enabled"`
	SSLRequired           string            `json:"sslRequired"`
	LoginTheme            string            `json:"loginTheme"`
	AdminTheme            string            `json:"adminTheme"`
	AccountTheme          string            `json:"accountTheme"`
	Internationalized     bool              `json:"internationalizationEnabled"`
	SupportedLocales      []string          `json:"supportedLocales"`
	DefaultLocale         string            `json:"defaultLocale"`
	BruteForceProtected   bool              `json:"bruteForceProtected"`
	PermanentLockout      bool              `json:"permanentLockout"`
	FailureFactor         int               `json:"failureFactor"`
	MaxFailureWait        int               `json:"maxFailureWaitSeconds"`
	WaitIncrement         int               `json:"waitIncrementSeconds"`
	LoginWithEmailAllowed bool              `json:"loginWithEmailAllowed"`
	RegistrationAllowed   bool              `json:"registrationAllowed"`
	VerifyEmail           bool              `json:"verifyEmail"`
	AccessTokenLifespan   int               `json:"accessTokenLifespan"`
	SessionIdle           int               `json:"ssoSessionIdleTimeout"`
	SessionMax            int               `json:"ssoSessionMaxLifespan"`
	EventsEnabled         bool              `json:"eventsEnabled"`
	EventsExpiration      int               `json:"eventsExpiration"`
	EventsListeners       []string          `json:"eventsListeners"`
	EnabledEventTypes     []string          `json:"enabledEventTypes"`
	AdminEventsEnabled    bool              `json:"adminEventsEnabled"`
	Attributes            map[string]string `json:"attributes"`
}

// fields are the tested settings with what the site may choose.
func (s RealmSite) fields() settingsFields {
	const week = 7 * 24 * time.Hour
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	return settingsFields{
		DisplayName: s.Display, Enabled: true, SSLRequired: "all",
		LoginTheme: "keycloak.v2", AdminTheme: "keycloak.v2", AccountTheme: "keycloak.v3",
		Internationalized: true, SupportedLocales: []string{"en"}, DefaultLocale: "en",
		BruteForceProtected: true, FailureFactor: 5, MaxFailureWait: 900, WaitIncrement: 60,
		LoginWithEmailAllowed: true,
		AccessTokenLifespan:   seconds(s.AccessToken),
		SessionIdle:           seconds(s.SessionIdle), SessionMax: seconds(s.SessionMax),
		EventsEnabled: true, EventsExpiration: seconds(week), EventsListeners: []string{"jboss-logging"},
		EnabledEventTypes: []string{
			"LOGIN", "LOGIN_ERROR", "LOGOUT", "LOGOUT_ERROR",
			"CODE_TO_TOKEN_ERROR", "REFRESH_TOKEN_ERROR",
			"CLIENT_LOGIN_ERROR", "USER_DISABLED_BY_TEMPORARY_LOCKOUT",
			"USER_DISABLED_BY_PERMANENT_LOCKOUT", "UPDATE_PASSWORD", "UPDATE_CREDENTIAL",
		},
		AdminEventsEnabled: true,
		// The server's hostname says where a realm is; with frontendUrl the
		// issuer has the realm's path twice.
		Attributes: map[string]string{"frontendUrl": ""},
	}
}

func (r realmSettings) String() string { return "realm " + r.site.Name }

func (r realmSettings) changes(ctx context.Context, api realmAPI) ([]realmChange, error) {
	var got jsonObject
	if err := api.get(ctx, "", &got); err != nil {
		return nil, err
	}
	want, err := fieldsOf(r.site.fields())
	if err != nil {
		return nil, err
	}
	diff, what := differing(got, want)
	return asOne(what, http.MethodPut, "", diff), nil
}

// asOne makes one request of what differs in one object.
func asOne(what []string, method, path string, body any) []realmChange {
	if len(what) == 0 {
		return nil
	}
	words := what[0]
	for _, w := range what[1:] {
		words += ", " + w
	}
	return []realmChange{{what: words, method: method, path: path, body: body}}
}

// realmRole is one role of the realm.
type realmRole struct{ role RealmRole }

func (r realmRole) String() string { return "role " + r.role.Name }

func (r realmRole) changes(ctx context.Context, api realmAPI) ([]realmChange, error) {
	want := jsonObject{"name": r.role.Name, "description": r.role.Description}
	path := "roles/" + url.PathEscape(r.role.Name)
	var got jsonObject
	err := api.get(ctx, path, &got)
	if notFound(err) {
		return []realmChange{{"create it", http.MethodPost, "roles", want}}, nil
	}
	if err != nil {
		return nil, err
	}
	diff, what := differing(got, want)
	diff["name"] = r.role.Name
	return asOne(what, http.MethodPut, path, diff), nil
}

// realmGroup is the group whose members administer the realm. What else its
// members may do is not looked at.
type realmGroup struct{ site RealmSite }

// Roles of the administrators' group: the client's that holds a realm's own
// permissions, and the realm's, where the site has it.
const (
	managementClient = "realm-management"
	managementRole   = "realm-admin"
	adminRole        = "admin"
)

// roleRef is a role as role mappings take it.
type roleRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (g realmGroup) String() string { return "group " + g.site.AdminsGroup }

func (g realmGroup) changes(ctx context.Context, api realmAPI) ([]realmChange, error) {
	var found []struct{ ID, Name string }
	if err := api.get(ctx, "groups?exact=true&search="+url.QueryEscape(g.site.AdminsGroup), &found); err != nil {
		return nil, err
	}
	id := ""
	for _, f := range found {
		// A search finds groups that have a subgroup of that name, too.
		if f.Name == g.site.AdminsGroup {
			id = f.ID
		}
	}
	if id == "" {
		return []realmChange{{"create it", http.MethodPost, "groups", jsonObject{"name": g.site.AdminsGroup}}}, nil
	}
	var got struct {
		RealmRoles  []string
		ClientRoles map[string][]string
	}
	if err := api.get(ctx, "groups/"+id, &got); err != nil {
		return nil, err
	}
	var out []realmChange
	isAdmin := func(r RealmRole) bool { return r.Name == adminRole }
	if slices.ContainsFunc(g.site.Roles, isAdmin) && !slices.Contains(got.RealmRoles, adminRole) {
		c, err := g.grant(ctx, api, id, "roles/"+adminRole, "realm", adminRole)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if !slices.Contains(got.ClientRoles[managementClient], managementRole) {
		var clients []struct{ ID string }
		if err := api.get(ctx, "clients?clientId="+managementClient, &clients); err != nil {
			return nil, err
		}
		if len(clients) != 1 {
			return nil, fmt.Errorf("look for client %s: there is none", managementClient)
		}
		c, err := g.grant(ctx, api, id, "clients/"+clients[0].ID+"/roles/"+managementRole, "clients/"+clients[0].ID, managementRole)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (g realmGroup) grant(ctx context.Context, api realmAPI, group, rolePath, mapping, role string) (realmChange, error) {
	var ref roleRef
	if err := api.get(ctx, rolePath, &ref); err != nil {
		return realmChange{}, err
	}
	return realmChange{"give it role " + role, http.MethodPost, "groups/" + group + "/role-mappings/" + mapping, []roleRef{ref}}, nil
}
