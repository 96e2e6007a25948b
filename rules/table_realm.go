package rules

import (
	"slices"
	"time"

	"watchdog/probes/keycloak"
	"watchdog/probes/postgres"
)

const seeRealm = "watchdog plan    # what the realm differs in"

// localIssuer is what is wrong with Keycloak's own listener.
func localIssuer() []Ref {
	return []Ref{
		On(keycloak.IssuerUnreachable, local), On(keycloak.IssuerUntrusted, local), On(keycloak.IssuerError, local),
		On(keycloak.PlainHTTP, "keycloak"), On(keycloak.IssuerPlainHTTP, local),
	}
}

// realmTable holds the faults of tokens, and of the realm that they come from.
var realmTable = []Rule{
	{
		Code: keycloak.TokenUnavailable, Title: "Keycloak gives no token", Severity: Critical,
		Explain: "The program's own service account asked for a token and got none, so nobody else can log in either. This is the look that " +
			"needs everything: the listener, the realm, the keys and the database. Pages may show all the same, from a cache.",
		DependsOn: slices.Concat(
			keycloakOff(), by(keycloak.Unreachable, keycloak.Hung, keycloak.NotReady, keycloak.SchemaMissing),
			by(keycloak.RealmMissing, keycloak.RealmDisabled), by(noDatabase()...), localIssuer(), badCertificate(),
		),
		For:      2 * time.Minute,
		Remedies: []string{"keycloak.conf", "service.keycloak.restart"},
		Fix:      []string{"watchdog probe token", seeKeycloak, "systemctl restart keycloak"},
	},
	{
		Code: keycloak.TokenClientRejected, Title: "Keycloak rejects the program's own client", Severity: Warning,
		Explain: "The secret of client {subject} is not the one stored on this host, or its service account is off. Users notice nothing, but the " +
			"realm can be neither watched nor healed. Keycloak says the same when its database has no connection left.",
		DependsOn: slices.Concat(by(postgres.TooManyConnections, keycloak.NotReady, keycloak.RealmClientMissing), localIssuer()),
		Remedies:  []string{"keycloak.admin", "realm"},
		Fix:       []string{"watchdog heal token.client-rejected", seeKeycloak},
		Drill:     "kc-client-drift",
	},
	{
		Code: keycloak.TokenClaimMissing, Title: "Tokens lack claims that applications need", Severity: Critical,
		Explain: "Tokens come without the right {subject}, or those for client {subject} without sub, email or an audience; the evidence names " +
			"the claim. Applications then refuse a login that Keycloak let through. Client scopes were imported over the built-in ones, or taken away.",
		DependsOn: append(when("iss", keycloak.IssuerWrongPath, keycloak.IssuerPortLeak, keycloak.IssuerPlainHTTP, keycloak.RealmFrontendURL),
			// A client made anew has all its mappers.
			On(keycloak.RealmClientMissing, "{subject}")),
		Remedies: []string{"realm", "keycloak.admin"},
		Fix:      []string{seeRealm, "watchdog heal token.claim-missing"},
		Drill:    "kc-claims",
	},
	{
		Code: keycloak.RealmMissing, Title: "The realm is gone", Severity: Critical, Mode: Ask,
		Explain: "Keycloak answers that realm {subject} does not exist. Either it was deleted or Keycloak runs on another database: its users are " +
			"gone with it. A new one would have none, so a person decides between a backup and an empty realm.",
		DependsOn: by(postgres.DatabaseMissing, keycloak.SchemaMissing),
		Remedies:  []string{"realm"},
		Fix:       []string{"watchdog backup list", "systemctl stop keycloak", restoreDump + "    # brings the users back", "systemctl start keycloak", "watchdog heal realm.missing    # makes an empty realm instead"},
	},
	{
		Code: keycloak.RealmDisabled, Title: "The realm is disabled", Severity: Critical,
		Explain: "Realm {subject} is switched off: no token is given, while its discovery document still shows. Somebody did that in the " +
			"administration console. It is switched on again; to keep it off, pause watchdog first.",
		Remedies: []string{"realm"},
		Fix:      []string{"watchdog heal realm.disabled"},
		Drill:    "kc-realm-off",
	},
	{
		Code: keycloak.RealmFrontendURL, Title: "The realm has a frontend URL of its own", Severity: Critical,
		Explain: "Attribute frontendUrl of realm {subject} stands in front of every address that Keycloak gives out; with the realm's own URL in it " +
			"the issuer is doubled and each of its addresses a 404. The hostname of the server is enough. It is taken away, effective at once.",
		Remedies: []string{"realm"},
		Fix:      []string{"watchdog heal realm.frontend-url"},
		Drill:    "kc-issuer-path",
	},
	{
		Code: keycloak.RealmClientMissing, Title: "A client of the realm is gone", Severity: Critical,
		Explain: "Client {subject} was deleted or disabled: its application can log nobody in, and when it is the program's own, the realm can be " +
			"neither watched nor healed. It is made again; a confidential one has a new secret then, which its application must be given.",
		DependsOn: by(keycloak.RealmMissing, keycloak.SchemaMissing),
		Remedies:  []string{"realm", "keycloak.admin"},
		Fix:       []string{seeRealm, "watchdog heal realm.client-missing"},
		Drill:     "kc-client-gone",
	},
	{
		Code: keycloak.RealmClientDrift, Title: "A client of the realm was changed", Severity: Warning,
		Explain: "Client {subject} is not set up as logins need it: its redirects, PKCE, flows or scopes differ, and the evidence names each. A " +
			"login then fails with an error page, or goes where it should not. The fields that differ are put back, all others left alone.",
		Remedies: []string{"realm"},
		Fix:      []string{seeRealm, "watchdog heal realm.client-drift"},
		Drill:    "kc-client-drift",
	},
}
