// Package nginx looks at the edge in front of Keycloak: the configuration that
// NGINX would run with ([Config]), what the public port does with a client's
// first bytes ([Edge]), and who listens where on the host ([Listeners]).
//
// Where it stands: Stack ─▶ [probes ─▶ findings] ─▶ Diagnose.
//
// Each sees what the others can't: a configuration that is right need not be
// the one that runs, and a port that accepts need not lead anywhere.
package nginx

import (
	"time"

	"watchdog/probes"
)

// The faults of the edge and of who listens.
const (
	ConfigInvalid   probes.Code = "nginx.config-invalid"
	StreamMissing   probes.Code = "edge.stream-missing"
	WrongUpstream   probes.Code = "edge.wrong-upstream"
	RedirectMissing probes.Code = "edge.redirect-missing"
	PlainHTTP       probes.Code = "tls.plain-http"
	CSPConflict     probes.Code = "edge.csp-conflict"
	RunningStale    probes.Code = "nginx.running-config-stale"

	EdgeRefused probes.Code = "edge.refused"
	EdgeHung    probes.Code = "edge.hung"
	EdgeClosed  probes.Code = "edge.closed"

	ListenerPublic   probes.Code = "listener.public"
	ListenerIPv4Open probes.Code = "listener.ipv4-open"
	ListenerTaken    probes.Code = "listener.taken"
)

// timeout is the most a look may take.
const timeout = 3 * time.Second
