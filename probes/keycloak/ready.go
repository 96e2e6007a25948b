package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
)

// Subjects of [NotReady].
const (
	subjectDatabase = "database"
	subjectStarting = "starting"
	subjectUnknown  = "unknown"
)

// starting is how long after the start of its unit a server may refuse
// connections: a first start with an image to build and an empty database took
// up to 76 s.
const starting = 90 * time.Second

// A Ready asks the management interface whether the server is ready.
type Ready struct {
	Address string // "[::1]:9000", plain HTTP
	Service string // "keycloak"
}

// Spec implements [probes.Probe].
func (r Ready) Spec() probes.Spec {
	return probes.Spec{
		ID:      "keycloak.ready",
		Summary: "the management interface says that Keycloak is ready",
		Codes:   []probes.Code{NotReady, Hung, Unreachable},
		Every:   5 * time.Second,
		Timeout: timeout,
		Wakes:   []probes.Wake{{Kind: probes.WakeUnit, Name: "keycloak"}},
	}
}

// health is the answer of /health/ready.
type health struct {
	Status string
	Checks []struct {
		Name, Status string
		Data         map[string]any
	}
}

// down tells whether a check whose name contains part is down.
func (h health) down(part string) (detail string, is bool) {
	for _, c := range h.Checks {
		if c.Status != "UP" && strings.Contains(strings.ToLower(c.Name), part) {
			detail = c.Name + ": " + c.Status
			if since, ok := c.Data["Failing since"]; ok {
				detail += fmt.Sprintf(", failing since %v", since)
			}
			return clip(detail, 300), true
		}
	}
	return "", false
}

// Observe implements [probes.Probe]. A server that is being stopped means that
// it could not look.
func (r Ready) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	within, cancel := probes.Waits(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodGet, "http://"+r.Address+"/health/ready", nil)
	if err != nil {
		return nil, err
	}
	status, body, err := fetch(h.HTTPClient(r.Address, "", host.Kept), req)
	if err != nil {
		return r.unreachable(ctx, h, err)
	}
	var answer health
	malformed := json.Unmarshal(body, &answer) != nil
	if status == http.StatusOK && answer.Status == "UP" {
		return nil, nil
	}
	got := fmt.Sprintf("status %d: %s", status, clip(string(body), 200))
	if malformed || answer.Status == "" {
		return r.found(NotReady, subjectUnknown, "the management interface gives no health answer", got), nil
	}
	if detail, is := answer.down("database"); is {
		return r.found(NotReady, subjectDatabase, "Keycloak has no database connection", detail), nil
	}
	if detail, is := answer.down("initialized"); is {
		return r.found(NotReady, subjectStarting, "Keycloak is still starting", detail), nil
	}
	if _, is := answer.down("shutdown"); is {
		return nil, errors.New("ask whether Keycloak is ready: it is being stopped")
	}
	return r.found(NotReady, subjectUnknown, "Keycloak says that it is not ready", got), nil
}

// unreachable judges a request that got no answer.
func (r Ready) unreachable(ctx context.Context, h *host.Host, err error) ([]probes.Finding, error) {
	switch troubleOf(ctx, err) {
	case blind:
		return nil, err
	case silent:
		return r.found(Hung, "", "Keycloak accepts connections and does not answer", "no answer in time"), nil
	case refused:
		if r.young(ctx, h) {
			return r.found(NotReady, subjectStarting, "Keycloak is still starting", "nobody listens yet: "+why(err)), nil
		}
	}
	return r.found(Unreachable, "", "Keycloak's management interface can't be reached", why(err)), nil
}

// young reports whether the service was started so short a time ago that it may
// not listen yet.
func (r Ready) young(ctx context.Context, h *host.Host) bool {
	u, err := h.Init.Unit(ctx, h.Facts.Layout.Unit(r.Service))
	return err == nil && (u.State == host.Starting || u.State == host.Running && h.Now().Sub(u.Since) < starting)
}

func (r Ready) found(code probes.Code, subject, summary, got string) []probes.Finding {
	url := "http://" + r.Address + "/health/ready"
	return []probes.Finding{{Code: code, Subject: subject, Summary: summary, Evidence: []probes.Evidence{{
		Source: url, Want: `status 200, "UP"`, Got: got, Command: "curl -sS -m 3 '" + url + "'",
	}}}}
}
