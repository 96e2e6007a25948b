package keycloak

import (
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

// The answers of Keycloak 26.7.
const (
	up = `{"status":"UP","checks":[{"name":"Graceful Shutdown","status":"UP"},{"name":"Keycloak Initialized","status":"UP"},` +
		`{"name":"Keycloak database connections async health check","status":"UP"}]}`
	databaseDown = `{"status":"DOWN","checks":[{"name":"Graceful Shutdown","status":"UP"},{"name":"Keycloak Initialized","status":"UP"},` +
		`{"name":"Keycloak database connections async health check","status":"DOWN","data":{"Failing since":"2026-11-23 14:43:30,758"}}]}`
	notInitialized = `{"status":"DOWN","checks":[{"name":"Graceful Shutdown","status":"UP"},{"name":"Keycloak Initialized","status":"DOWN"}]}`
	bothDown       = `{"status":"DOWN","checks":[{"name":"Keycloak Initialized","status":"DOWN"},{"name":"Keycloak database connections async health check","status":"DOWN"}]}`
	shutting       = `{"status":"DOWN","checks":[{"name":"Graceful Shutdown","status":"DOWN"},{"name":"Keycloak Initialized","status":"UP"}]}`
)

func TestReady(t *testing.T) {
	answers := func(status int, body string) []hosttest.Option {
		return []hosttest.Option{hosttest.Serve(mgmt, hosttest.HTTP(says(status, body)))}
	}
	since := func(state host.UnitState, ago time.Duration) hosttest.Option {
		return hosttest.Service(host.Unit{Name: "keycloak.service", State: state, PID: 9, Since: hosttest.Noon.Add(-ago)})
	}
	probetest.Suite{
		Probe: Ready{Address: mgmt, Service: "keycloak"},
		Cases: map[string]probetest.Case{
			"up":           {Host: answers(200, up)},
			"no database":  {Host: answers(503, databaseDown), Want: []string{"keycloak.not-ready database"}, Says: []string{"failing since 2026-11-23 14:43:30,758"}},
			"starting":     {Host: answers(503, notInitialized), Want: []string{"keycloak.not-ready starting"}},
			"both":         {Host: answers(503, bothDown), Want: []string{"keycloak.not-ready database"}},
			"stopping":     {Host: answers(503, shutting), Err: "being stopped"},
			"another":      {Host: answers(503, `{"status":"DOWN","checks":[{"name":"Disk","status":"DOWN"}]}`), Want: []string{"keycloak.not-ready unknown"}, Says: []string{"Disk"}},
			"no health":    {Host: answers(404, "Resource not found"), Want: []string{"keycloak.not-ready unknown"}, Says: []string{"status 404: Resource not found"}},
			"200 and DOWN": {Host: answers(200, databaseDown), Want: []string{"keycloak.not-ready database"}},
			"not JSON":     {Host: answers(200, "UP"), Want: []string{"keycloak.not-ready unknown"}},
			"moved":        {Host: []hosttest.Option{hosttest.Serve(mgmt, hosttest.HTTP(http.RedirectHandler("https://192.0.2.1/", 302)))}, Want: []string{"keycloak.not-ready unknown"}},
			"hung":         {Host: []hosttest.Option{hosttest.Serve(mgmt, hosttest.Hang)}, Deadline: 600 * time.Millisecond, Want: []string{"keycloak.hung"}},
			"nobody":       {Host: []hosttest.Option{since(host.Running, time.Hour)}, Want: []string{"keycloak.unreachable"}, Says: []string{"connection refused"}},
			"stopped":      {Host: []hosttest.Option{since(host.Stopped, time.Second)}, Want: []string{"keycloak.unreachable"}},
			"young":        {Host: []hosttest.Option{since(host.Running, 20*time.Second)}, Want: []string{"keycloak.not-ready starting"}},
			"activating":   {Host: []hosttest.Option{since(host.Starting, time.Hour)}, Want: []string{"keycloak.not-ready starting"}},
			"empty reply":  {Host: []hosttest.Option{hosttest.Serve(mgmt, stops), since(host.Running, time.Second)}, Want: []string{"keycloak.unreachable"}, Says: []string{"closes the connection"}},
			"no memory":    {Host: []hosttest.Option{fails(mgmt, syscall.EMFILE)}, Err: "too many open files"},
			"not seen":     {Host: []hosttest.Option{hosttest.NoInit(errors.New("no bus"))}, Want: []string{"keycloak.unreachable"}},
		},
	}.Run(t)
}
