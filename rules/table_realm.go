package rules

import (
	"slices"
	"time"

	"watchdog/probes/keycloak"
	"watchdog/probes/postgres"
)

const seeRealm = "watchdog plan    # what the realm differs in"

// recovery makes a temporary administrator beside the running server: that needs
// the database's password and no other, and another management port than the
// server's. Its exit status tells nothing.
const recovery = "KC_HTTP_MANAGEMENT_PORT=9010 runuser -u keycloak -- /opt/keycloak/bin/kc.sh bootstrap-admin user --optimized --no-prompt " +
	"--username rescue --password:env TMPPW    # it worked if it says KC-SERVICES0077"

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
		Explain: "The secret of client {subject} is not the one stored on this host, its service account is off, or its role realm-admin was taken. " +
			"Users notice nothing, but the realm can be neither watched nor healed. Keycloak says the same when its database has no connection left.",
		DependsOn: slices.Concat(by(postgres.TooManyConnections, keycloak.NotReady, keycloak.RealmClientMissing, keycloak.RealmDisabled), localIssuer(),
			// Its roles reach its token by the scope that brings the audience too.
			[]Ref{On(keycloak.TokenClaimMissing, "aud")}),
		Remedies: []string{"keycloak.admin", "realm"},
		Fix:      []string{"watchdog heal token.client-rejected", seeKeycloak},
		Drill:    "kc-client-drift",
	},
	{
		Code: keycloak.TokenClaimMissing, Title: "Tokens lack claims that applications need", Severity: Critical,
		Explain: "Tokens come without a claim: {subject} is the claim itself, the client whose tokens lack one, or scopes, where the realm's client " +
			"scopes bring it to nobody any more. Applications then refuse a login that Keycloak let through. Client scopes were imported over the " +
			"built-in ones, taken from a client, or emptied.",
		DependsOn: append(when("iss", keycloak.IssuerWrongPath, keycloak.IssuerPortLeak, keycloak.IssuerPlainHTTP, keycloak.RealmFrontendURL),
			// A client made anew has all its mappers.
			On(keycloak.RealmClientMissing, "{subject}"),
			// What no scope brings lacks in the program's own token too.
			Ref{Code: keycloak.TokenClaimMissing, Subject: "scopes", When: "sub"}),
		Remedies: []string{"realm", "keycloak.admin"},
		Fix:      []string{seeRealm, "watchdog heal token.claim-missing"},
		Drill:    "kc-claims",
	},
	{
		Code: keycloak.AdminLockedOut, Title: "Nobody can log in as Keycloak's administrator", Severity: Warning,
		Explain: "Every administrator of realm {subject} is disabled, has nothing to log in by, or is locked after failed logins; the evidence has " +
			"each. Users still log in, but nobody can change Keycloak. A temporary administrator gets in beside the running server: enable the real " +
			"one with it, or wait out a lock that ends by itself.",
		Fix: []string{
			"read -rs TMPPW; export TMPPW    # a password for the next hour", recovery,
			"# log in at https://NAME/admin/ as rescue: Users, the administrator, Enabled; Credentials; Unlock",
			"watchdog install    # deletes rescue again",
		},
		Drill: "kc-admin-locked",
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
