package keycloak

import (
	"regexp"
	"strings"

	"watchdog/probes"
)

// A reason is why a start came to nothing.
type reason struct {
	code    probes.Code
	subject string
	summary string
	line    string // the server's own
}

// A pattern is one message of a failed start, and what it means. A %s in the
// subject stands for the first group.
type pattern struct {
	message *regexp.Regexp
	code    probes.Code
	subject string
	summary string
}

const noDatabase = "Keycloak could not start: it got no connection to its database"

// patterns are tried in this order, each on all the lines: a message that names
// the thing at fault comes before those that only say where it hurts.
var patterns = []pattern{
	{regexp.MustCompile(`^Terminating due to java\.lang\.OutOfMemoryError`), OutOfMemory, "keycloak", "Keycloak ran out of memory and ended itself"},
	{regexp.MustCompile(`Unable to bind to host: \S+ and port: (\d+): Address already in use`), ListenerTaken, "$1", "Keycloak could not start: its port is taken"},
	{regexp.MustCompile(`Unable to start the management interface on \S*:(\d+)$`), ListenerTaken, "$1", "Keycloak could not start: the port of its management interface is taken"},
	{regexp.MustCompile(`Failed to load 'https-\*' material: \w+ (\S+)`), CertsUnreadable, "$1", "Keycloak could not start: it can't read its certificate"},
	{regexp.MustCompile(`Missing -----BEGIN \w[\w ]*----- delimiter`), CertsUnreadable, "certificate", "Keycloak could not start: its certificate is no PEM"},
	{regexp.MustCompile(`^ERROR: (?:Connection to \S+ refused|FATAL: )`), StartFailed, "database", noDatabase},
	{regexp.MustCompile(`^ERROR: Failed to obtain JDBC connection`), StartFailed, "database", noDatabase},
	{regexp.MustCompile(`Failed to load resource \S+keycloak\.conf`), ConfigRejected, "keycloak.conf", "Keycloak could not start: it can't read keycloak.conf"},
	{regexp.MustCompile(`^Unknown option: '?(\S+?)'?$`), ConfigRejected, "$1", "Keycloak refuses an option it doesn't know"},
	{regexp.MustCompile(`^Invalid value for option '(\S+)'`), ConfigRejected, "$1", "Keycloak refuses the value of an option"},
	{regexp.MustCompile(`^(?:ERROR: )?Invalid `), ConfigRejected, "keycloak.conf", "Keycloak refuses the value of an option"},
	{regexp.MustCompile(`build time options have values that differ from what is persisted.*: (\S.*)$`), ConfigRejected, "$1", "Keycloak has to be built again: a build option has changed"},
	{regexp.MustCompile(`hostname is not configured|hostname must be |You can not set both|Key material not provided|Unable to configure TLS reloading`), ConfigRejected, "keycloak.conf", "Keycloak refuses its configuration"},
	{regexp.MustCompile(`lib/quarkus/\S+$`), StartFailed, "build", "Keycloak tried to build itself anew and may not"},
}

// handler is the class that logs why a start came to nothing, once the logging
// runs; before that the same lines come bare.
const handler = "[org.keycloak.quarkus.runtime.cli.ExecutionExceptionHandler]"

// usage is its last line always, and says nothing.
const usage = "For more details run the same command"

// reasonOf reads why a run's start came to nothing from the lines it wrote. The
// stack traces and the warning of AsyncCommitIntegrator that stand in every
// such log when the database is away are not looked at.
func reasonOf(lines []string) (reason, bool) {
	said := complaints(lines)
	for _, p := range patterns {
		for _, line := range said {
			m := p.message.FindStringSubmatchIndex(line)
			if m == nil {
				continue
			}
			subject := string(p.message.ExpandString(nil, p.subject, line, m))
			return reason{p.code, clip(subject, 80), p.summary, line}, true
		}
	}
	return unknownReason(said)
}

// unknownReason takes the first complaint that says more than that there is
// one.
func unknownReason(said []string) (reason, bool) {
	var line string
	for i, l := range said {
		switch {
		case strings.HasPrefix(l, "Error occurred during initialization of VM") && i+1 < len(said):
			line = l + ": " + said[i+1]
		case hollow.MatchString(l):
			if line == "" {
				line = l
			}
			continue
		case complaint.MatchString(l):
			line = l
		default:
			continue
		}
		break
	}
	return reason{StartFailed, "unknown", "Keycloak could not start", line}, line != ""
}

// hollow are complaints that stand before the one that says why.
var (
	hollow    = regexp.MustCompile(`^ERROR: (?:Failed to start |Unable to start HTTP server)`)
	complaint = regexp.MustCompile(`^(?:ERROR: |Error:? |Exception in thread )`)
)

// complaints returns what the handler said, and the bare lines that are neither
// of the log, with its time in front, nor of a stack trace. Of a trace only the
// line counts that says which file could not be loaded: the handler is not
// there yet when it is keycloak.conf.
func complaints(lines []string) []string {
	var out []string
	for _, line := range lines {
		if _, said, ok := strings.Cut(line, handler); ok {
			// "(main) ERROR: Failed to start server in (production) mode"
			if _, after, ok := strings.Cut(said, ") "); ok {
				said = after
			}
			line = strings.TrimSpace(said)
		} else if trace.MatchString(line) && !strings.Contains(line, "Failed to load resource") {
			continue
		}
		if line != "" && !strings.HasPrefix(line, usage) {
			out = append(out, line)
		}
	}
	return out
}

// trace are the lines of the log and of stack traces.
var trace = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\s|Caused by: |Suppressed: )`)
