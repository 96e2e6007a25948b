package keycloak

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const journalctl = "journalctl -u keycloak.service -o json -n 200 --no-pager"

// journal gives lines as journalctl does, of one run.
func journal(run string, text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		data, err := json.Marshal(map[string]string{"MESSAGE": strings.TrimSuffix(l, "\n"), "_SYSTEMD_INVOCATION_ID": run, "_PID": "7", "_TRANSPORT": "stdout", "PRIORITY": "6"})
		if err != nil {
			panic(err)
		}
		b.Write(append(data, '\n'))
	}
	return b.String()
}

// manager is what systemd itself says about the unit.
const manager = `{"MESSAGE":"keycloak.service: Failed with result 'exit-code'.","UNIT":"keycloak.service","INVOCATION_ID":"2","_PID":"1","_TRANSPORT":"journal"}` + "\n"

func failed(text ...string) []hosttest.Option {
	return []hosttest.Option{unit(host.Failed, "exit-code"), hosttest.Output(journalctl, strings.Join(text, "")+manager)}
}

func unit(state host.UnitState, result string) hosttest.Option {
	return hosttest.Service(host.Unit{Name: "keycloak.service", State: state, Result: result, Enabled: true})
}

// measured are the starts that were made to fail on the real server.
func measured(t *testing.T) map[string]string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/starts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range archive.Files {
		all[f.Name] = string(f.Data)
	}
	return all
}

// TestReasons holds every measured start to the fault that caused it.
func TestReasons(t *testing.T) {
	want := map[string]string{
		"bind":           "listener.taken 8443: ERROR: io.quarkus.runtime.QuarkusBindException: Unable to bind to host: ::1 and port: 8443: Address already in use",
		"mgmt":           "listener.taken 9000: ERROR: java.lang.IllegalStateException: Unable to start the management interface on ::1:9000",
		"unknownopt":     "keycloak.config-rejected --hostname-url: Unknown option: '--hostname-url'",
		"badvalue":       "keycloak.config-rejected --https-port: Invalid value for option '--https-port': Expected an integer value, got \"abc\"",
		"badinfile":      "keycloak.config-rejected kc.cache: Invalid value for option 'kc.cache' in keycloak.conf: infinite. Expected values are: ispn, local",
		"badvariable":    `keycloak.config-rejected KC_HTTPS_PORT: Invalid value for option 'KC_HTTPS_PORT': Expected an integer value, got "8x"`,
		"badlevel":       "keycloak.config-rejected keycloak.conf: ERROR: Invalid log category format: frob. The format is 'category:level' such as 'org.keycloak:debug'.",
		"certmissing":    "keycloak.certs-unreadable /etc/keycloak/certs/privkey.pem: ERROR: Failed to load 'https-*' material: NoSuchFileException /etc/keycloak/certs/privkey.pem",
		"certdenied":     "keycloak.certs-unreadable /etc/keycloak/certs/privkey.pem: ERROR: Failed to load 'https-*' material: AccessDeniedException /etc/keycloak/certs/privkey.pem",
		"certgarbled":    "keycloak.certs-unreadable certificate: ERROR: java.lang.RuntimeException: Missing -----BEGIN CERTIFICATE----- delimiter",
		"dbpass":         `keycloak.start-failed database: ERROR: FATAL: password authentication failed for user "keycloak"`,
		"dbdown":         "keycloak.start-failed database: ERROR: Connection to [::1]:5432 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
		"dbnone":         `keycloak.start-failed database: ERROR: FATAL: database "keycloak" does not exist`,
		"reload":         "keycloak.config-rejected keycloak.conf: ERROR: java.lang.IllegalArgumentException: Unable to configure TLS reloading - The reload period cannot be less than 30 seconds",
		"buildopt":       "keycloak.config-rejected kc.metrics-enabled: The following build time options have values that differ from what is persisted - the new values will NOT be used until another build is run: kc.metrics-enabled",
		"rebuild":        "keycloak.start-failed build: ERROR: /opt/keycloak/lib/quarkus/transformed-bytecode.jar",
		"oom":            "keycloak.out-of-memory keycloak: Terminating due to java.lang.OutOfMemoryError: Java heap space",
		"gc":             "keycloak.start-failed unknown: Error occurred during initialization of VM: Multiple garbage collectors selected",
		"nohost":         "keycloak.config-rejected keycloak.conf: ERROR: hostname is not configured; either configure hostname, or set hostname-strict to false",
		"hostadmin":      "keycloak.config-rejected keycloak.conf: ERROR: hostname must be set to a URL when hostname-admin is set",
		"nocert":         "keycloak.config-rejected keycloak.conf: Key material not provided to setup HTTPS. Please configure your keys/certificates, or if HTTPS access is not needed see the `http-enabled` option. If you meant to start the server in development mode, see the `start-dev` command.",
		"confunreadable": "keycloak.config-rejected keycloak.conf: Caused by: java.lang.IllegalArgumentException: SRCFG00035: Failed to load resource file:/opt/keycloak/bin/../conf/keycloak.conf",
	}
	got := map[string]string{}
	for name, text := range measured(t) {
		r, ok := reasonOf(strings.Split(text, "\n"))
		if !ok {
			t.Errorf("%s: no reason found", name)
			continue
		}
		got[name] = string(r.code) + " " + r.subject + ": " + r.line
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What a server writes that lost its database while it ran, and was then
// stopped, is no reason of a start.
const ran = `2026-11-23 14:38:11,352 INFO  [org.keycloak.services.resources.KeycloakApplication] (executor-thread-1) Bootstrap completed in 20.086000 seconds
2026-11-23 15:00:00,000 ERROR [org.keycloak.services.error.KeycloakErrorHandler] (executor-thread-2) Uncaught server error: org.keycloak.models.ModelException: java.sql.SQLException: Acquisition timeout
	at org.keycloak.connections.jpa.PersistenceExceptionConverter.convert(PersistenceExceptionConverter.java:99)
Caused by: org.postgresql.util.PSQLException: Connection to [::1]:5432 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.
2026-11-23 15:10:00,000 INFO  [io.quarkus] (main) Keycloak stopped in 1.100s
`

func TestStart(t *testing.T) {
	all := measured(t)
	foreign := hosttest.Listeners(host.Listener{Addr: netip.MustParseAddrPort("[::]:8443"), PID: 4711, Program: "nc"})
	leak := "ERROR: Failed to start server in (production) mode\nERROR: Cannot use db-password=" + probetest.Secret + "-keycloak-db, token: 'abc def' or jdbc:postgresql://kc:hunter2@[::1]/keycloak\n"
	probetest.Suite{
		Probe: Start{Service: "keycloak", Secrets: []string{"keycloak-db"}},
		Cases: map[string]probetest.Case{
			"runs":         {Host: []hosttest.Option{hosttest.Unit("keycloak.service", host.Running)}},
			"is started":   {Host: []hosttest.Option{unit(host.Starting, "")}},
			"waits to try": {Host: append(failed(journal("1", all["nohost"])), unit(host.Starting, "exit-code")), Want: []string{"keycloak.config-rejected keycloak.conf"}},
			"rejected":     {Host: failed(journal("1", all["unknownopt"])), Want: []string{"keycloak.config-rejected --hostname-url"}, Says: []string{"Unknown option", "journal of keycloak.service"}},
			"memory":       {Host: failed(journal("1", ran+all["oom"])), Want: []string{"keycloak.out-of-memory keycloak"}},
			"memory, limited": {Host: append(failed(journal("1", ran+all["oom"])),
				hosttest.File("/etc/systemd/system/keycloak.service", "[Service]\nEnvironment=\"JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m\"\n"),
				hosttest.File("/etc/systemd/system/keycloak.service.d/heap.conf", "[Service]\nEnvironment=JAVA_OPTS_KC_HEAP=-Xmx64m\n")),
				Want: []string{"keycloak.out-of-memory keycloak"}, Says: []string{"keycloak.service.d/heap.conf", "a heap of 64m"}},
			"killed for it": {Host: []hosttest.Option{unit(host.Failed, "oom-kill")}, Want: []string{"keycloak.out-of-memory keycloak"}, Says: []string{"result oom-kill"}},
			"database":      {Host: failed(journal("1", all["dbdown"])), Want: []string{"keycloak.start-failed database"}},
			"certificate":   {Host: failed(journal("1", all["certdenied"])), Want: []string{"keycloak.certs-unreadable /etc/keycloak/certs/privkey.pem"}},
			"port taken":    {Host: append(failed(journal("1", all["bind"])), foreign), Want: []string{"listener.taken 8443"}, Says: []string{"nc (pid 4711)"}},
			"free again":    {Host: failed(journal("1", all["bind"]))},
			"mended since":  {Host: failed(journal("1", all["unknownopt"]), journal("2", ran))},
			"broken since":  {Host: failed(journal("1", ran), journal("2", all["unknownopt"])), Want: []string{"keycloak.config-rejected --hostname-url"}},
			"stopped":       {Host: []hosttest.Option{unit(host.Stopped, ""), hosttest.Output(journalctl, journal("1", ran))}},
			"never started": {Host: []hosttest.Option{unit(host.Stopped, ""), hosttest.Output(journalctl, "")}},
			"killed":        {Host: []hosttest.Option{unit(host.Failed, "signal"), hosttest.Output(journalctl, journal("1", ran))}},
			"no lines":      {Host: failed(), Err: "the journal has no line of it"},
			"no journal":    {Host: []hosttest.Option{unit(host.Failed, "exit-code"), hosttest.Run(journalctl, func(...string) ([]byte, error) { return nil, errors.New("no journal") })}, Err: "no journal"},
			"unknown":       {Host: failed(journal("1", all["gc"])), Want: []string{"keycloak.start-failed unknown"}, Says: []string{"Multiple garbage collectors selected"}},
			"leak":          {Host: failed(journal("1", leak)), Want: []string{"keycloak.start-failed unknown"}, Says: []string{"db-password=[redacted]", "token: [redacted]", "kc:[redacted]@"}},
			"bytes":         {Host: failed(strings.ReplaceAll(journal("1", "Unknown option: 'x'"), `"Unknown option: 'x'"`, `[85,110,107,110,111,119,110,32,111,112,116,105,111,110,58,32,39,120,255,39]`)), Want: []string{"keycloak.config-rejected x?"}},
		},
	}.Run(t)
}

func TestRedact(t *testing.T) {
	s := Start{}
	for in, want := range map[string]string{
		`password=a b`:                `password=[redacted] b`,
		`KC_DB_PASSWORD: "a b", next`: `KC_DB_PASSWORD: [redacted], next`,
		`client-secret = x;y`:         `client-secret = [redacted];y`,
		`https://u:p@host/`:           `https://u:[redacted]@host/`,
		`password authentication failed for user "keycloak"`: `password authentication failed for user "keycloak"`,
		strings.Repeat("x", 400):                             strings.Repeat("x", 300) + "…",
	} {
		if got, err := s.redact(hosttest.New(), in); err != nil || got != want {
			t.Errorf("%s became %s, %v; want %s", in, got, err, want)
		}
	}
}

func FuzzStart(f *testing.F) {
	data, err := os.ReadFile("testdata/starts.txtar")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(journal("1", string(data)))
	f.Add(`{"MESSAGE":[1,2,999],"_TRANSPORT":"stdout"}` + "\n" + `{"MESSAGE":null,"_TRANSPORT":"stdout"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := reasonOf(lastRun([]byte(text))); ok && (r.code == "" || r.line == "" || len(r.subject) > 90) {
			t.Errorf("reason %+v", r)
		}
	})
}
