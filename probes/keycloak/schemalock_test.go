package keycloak

import (
	"errors"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func TestSchemaLock(t *testing.T) {
	const question = "databasechangeloglock"
	holder := func(pid string) []string {
		return []string{pid, "2026-11-23 17:22:10.959334+00", "postgres with psql from the socket", "idle in transaction since 2026-11-23 17:22:11+00"}
	}
	locked := []string{"keycloak.schema-locked keycloak"}
	probetest.Suite{
		Probe: SchemaLock{Database: "keycloak"},
		Cases: map[string]probetest.Case{
			"nobody": {Host: []hosttest.Option{hosttest.Rows(question)}},
			"held": {Host: []hosttest.Option{hosttest.Rows(question, holder("7321"))}, Want: locked,
				Says: []string{"process 7321, postgres with psql from the socket, idle in transaction since 2026-11-23", "where pid = 7321"}},
			"by many":   {Host: []hosttest.Option{hosttest.Rows(question, holder("1"), holder("2"), holder("3"), holder("4"))}, Want: locked, Says: []string{"process 3,"}},
			"strange":   {Host: []hosttest.Option{hosttest.Rows(question, []string{"1"})}, Err: "unexpected answer"},
			"no server": {Host: []hosttest.Option{hosttest.NoDB(errors.New("no server"))}, Err: "no server"},
		},
	}.Run(t)
}
