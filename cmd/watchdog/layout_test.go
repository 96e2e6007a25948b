package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A pkg is what go list says of one package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "watchdog/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// below reports whether path is dir or in it.
func below(path string, dirs ...string) bool {
	for _, d := range dirs {
		if path == d || strings.HasPrefix(path, d+"/") {
			return true
		}
	}
	return false
}

// TestLayers holds every package to the way imports go:
// cmd → exporters → rules → {probes, remedies}, both on probes/host and
// probes/format.
func TestLayers(t *testing.T) {
	never := map[string][]string{
		"watchdog/probes":          {"watchdog/remedies", "watchdog/rules", "watchdog/exporters", "watchdog/cmd", "watchdog/packaging"},
		"watchdog/probes/host":     {"watchdog/probes"},
		"watchdog/remedies":        {"watchdog/rules", "watchdog/exporters", "watchdog/cmd", "watchdog/packaging/lab"},
		"watchdog/rules":           {"watchdog/exporters", "watchdog/cmd", "watchdog/packaging/lab"},
		"watchdog/exporters":       {"watchdog/cmd", "watchdog/packaging", "watchdog/probes/host", "watchdog/remedies"},
		"watchdog/packaging/lab":   {"watchdog/cmd"},
		"watchdog/probes/format":   {"watchdog/probes/host", "os", "io/ioutil"},
		"watchdog/remedies/hands":  {"watchdog/probes/system", "watchdog/probes/postgres"},
		"watchdog/packaging/build": {"watchdog/cmd"},
	}
	allowed := map[string][]string{
		"watchdog/probes/host": {"watchdog/probes/host", "watchdog/probes/format"},
		"watchdog/remedies":    {"watchdog/probes/host", "watchdog/probes/format", "watchdog/remedies", "watchdog/packaging/systemd"},
	}
	for _, p := range packages(t) {
		for dir, bad := range never {
			if !below(p.ImportPath, dir) {
				continue
			}
			for _, i := range p.Imports {
				if below(i, bad...) && !below(i, allowed[dir]...) {
					t.Errorf("%s imports %s", p.ImportPath, i)
				}
			}
		}
		if below(p.ImportPath, "watchdog/remedies") {
			for _, i := range p.Imports {
				if below(i, "watchdog") && !below(i, allowed["watchdog/remedies"]...) {
					t.Errorf("%s imports %s", p.ImportPath, i)
				}
			}
		}
	}
}

// TestHomes keeps what is dangerous or heavy to the packages that own it.
func TestHomes(t *testing.T) {
	homes := map[string][]string{
		"os/exec":                                 {"watchdog/probes/host", "watchdog/remedies/hands", "watchdog/packaging/lab"},
		"github.com/jackc/pgx/v5":                 {"watchdog/probes/host", "watchdog/probes/postgres", "watchdog/remedies/hands"},
		"github.com/prometheus/client_golang":     {"watchdog/exporters/metrics"},
		"github.com/coreos/go-systemd/v22/dbus":   {"watchdog/probes/host", "watchdog/remedies/hands"},
		"github.com/goccy/go-yaml":                {"watchdog/cmd"},
		"go.etcd.io/bbolt":                        {"watchdog/rules/ledger"},
		"github.com/spf13/cobra":                  {"watchdog/cmd"},
		"github.com/miekg/dns":                    {"watchdog/probes/dns", "watchdog/packaging/lab"},
		"unsafe":                                  nil,
		"log/slog":                                {"watchdog/cmd", "watchdog/rules/engine", "watchdog/exporters", "watchdog/probes/host"},
		"github.com/coreos/go-oidc/v3":            {"watchdog/probes/keycloak"},
		"github.com/vishvananda/netlink":          {"watchdog/probes/host", "watchdog/packaging/lab"},
		"github.com/coreos/go-systemd/v22/daemon": {"watchdog/cmd"},
		"watchdog/probes/host/pgsql":              {"watchdog/probes/host", "watchdog/remedies/hands"},
	}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for lib, where := range homes {
				if below(i, lib) && !below(p.ImportPath, where...) {
					t.Errorf("%s imports %s, whose homes are %v", p.ImportPath, i, where)
				}
			}
		}
	}
}
