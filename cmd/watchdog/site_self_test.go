package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func machineWith(hostname string, addresses ...string) siteMachine {
	return siteMachine{
		hostname: func() (string, error) {
			if hostname == "" {
				return "", errors.New("no name")
			}
			return hostname, nil
		},
		addresses: func() ([]net.Addr, error) {
			var all []net.Addr
			for _, a := range addresses {
				ip, n, err := net.ParseCIDR(a)
				if err != nil {
					return nil, err
				}
				all = append(all, &net.IPNet{IP: ip, Mask: n.Mask})
			}
			return all, nil
		},
	}
}

func TestSiteSelf(t *testing.T) {
	const idp, homer = "2a02:8012:bc57:cafe::babe/64", "2a02:8012:bc57:c0d2::babe/64"
	s := mustStack(t, smallest)
	for _, c := range []struct {
		machine    siteMachine
		key, wrong string
	}{
		{machine: machineWith("vm7", "::1/128", idp), key: "idp"},
		{machine: machineWith("idp", "192.0.2.1/24", homer), key: "homer"}, // the address outweighs the name
		{machine: machineWith("homer", "::1/128"), key: "homer"},
		{machine: machineWith("idp.breathtechnology.co.uk"), key: "idp"},
		{machine: machineWith("idp.example.org"), wrong: "no address and no name of the site's hosts (idp, homer); say which one it is: --host KEY"},
		{machine: machineWith("", "fe80::1/64"), wrong: "--host KEY"},
		{machine: machineWith("idp", idp, homer), wrong: "the addresses of hosts idp and homer; say which one it is: --host KEY"},
	} {
		key, err := c.machine.self(s)
		if key != c.key || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("self = %q, %v; want %q, %q", key, err, c.key, c.wrong)
		}
	}
}

// TestLoadSite goes the whole way with a file that is this user's own.
func TestLoadSite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "site.yaml")
	text := strings.Replace(smallest, "roles: [keycloak]", "roles: [keycloak], interface: enp1s0, prefix: 64, gateway: fe80::1", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := loadAnySite(file, "idp")
	if err != nil {
		t.Fatal(err)
	}
	if s.Self.FQDN != "idp.breathtechnology.co.uk" || s.Network.Interface != "enp1s0" || s.Network.Prefix != 64 || s.Network.Gateway.String() != "fe80::1" || len(s.Hash) != 64 {
		t.Errorf("self %+v, network %+v, hash %s", s.Self, s.Network, s.Hash)
	}
	s, err = loadAnySite(file, "homer")
	if err != nil || s.Self.Name != "homer" || s.Network.Interface != "" || s.Network.Gateway.IsValid() {
		t.Errorf("homer has the network of another host: %+v, %v", s.Network, err)
	}
	if _, err = loadAnySite(file, "homr"); err == nil || codeOf(err) != exitUsage || !strings.Contains(err.Error(), `did you mean "homer"?`) {
		t.Errorf("a host that does not exist: %v", err)
	}
	if _, err = loadAnySite(file, ""); err == nil || codeOf(err) != exitUsage || !strings.Contains(err.Error(), "--host") {
		t.Errorf("a machine that is none of the hosts: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err = loadSite(file, "idp"); err == nil || codeOf(err) != exitUsage || !errors.As(err, new(siteOwnerError)) {
		t.Errorf("a file below a directory that others may write: %v", err)
	}
	if _, err = loadSite("testdata/site/none.yaml", "idp"); err == nil || codeOf(err) != exitUsage {
		t.Errorf("a file that does not exist: %v", err)
	}
}
