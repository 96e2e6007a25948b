package nginx

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

const publicly = "[2001:db8::1]:443"

func TestEdge(t *testing.T) {
	fails := func(e syscall.Errno) []hosttest.Option {
		return []hosttest.Option{hosttest.Refuse(publicly, os.NewSyscallError("connect", e))}
	}
	serves := func(f func(net.Conn)) []hosttest.Option { return []hosttest.Option{hosttest.Serve(publicly, f)} }
	// The start of a handshake's answer: a record that goes on.
	hello := func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = c.Write([]byte{22, 3, 3, 0, 122, 2})
			_, _ = io.Copy(io.Discard, c)
		}
	}
	reads := func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }
	probetest.Suite{
		Probe: Edge{Address: publicly, Name: "idp.example.org"},
		Cases: map[string]probetest.Case{
			"answers":                {Host: serves(hello)},
			"no TLS":                 {Host: serves(hosttest.Say("HTTP/1.1 400 Bad Request\r\n\r\n"))},
			"refused":                {Want: []string{"edge.refused"}, Says: []string{"connection refused"}},
			"no route":               {Host: fails(syscall.EHOSTUNREACH), Want: []string{"edge.refused"}, Says: []string{"no route to host"}},
			"drops":                  {Host: fails(syscall.ETIMEDOUT), Want: []string{"edge.hung"}},
			"hung":                   {Host: serves(hosttest.Hang), Deadline: 600 * time.Millisecond, Want: []string{"edge.hung"}},
			"closes at once":         {Host: serves(hosttest.Close), Want: []string{"edge.closed"}},
			"closes after the hello": {Host: serves(reads), Want: []string{"edge.closed"}, Says: []string{"closes the connection"}},
			"no descriptors":         {Host: fails(syscall.EMFILE), Err: "too many open files"},
		},
	}.Run(t)
}

func TestListeners(t *testing.T) {
	on := func(address string, v6only bool, pid int, program string) host.Listener {
		return host.Listener{Addr: netip.MustParseAddrPort(address), V6Only: v6only, PID: pid, Program: program}
	}
	healthy := []host.Listener{
		on("[::]:443", true, 10, "nginx"), on("[::]:80", true, 10, "nginx"),
		on("[::1]:8443", false, 20, "java"), on("[::1]:9000", false, 20, "java"), on("127.0.0.1:38211", false, 20, "java"),
		on("[::1]:5432", false, 30, "postgres"), on("127.0.0.1:5432", false, 30, "postgres"),
		on("[::]:22", true, 40, "sshd"), on("0.0.0.0:22", false, 40, "sshd"), on("127.0.0.53:53", false, 50, "systemd-resolve"),
	}
	with := func(more ...host.Listener) []hosttest.Option {
		return []hosttest.Option{hosttest.Listeners(append(healthy[:len(healthy):len(healthy)], more...)...)}
	}
	keycloak := hosttest.Service(host.Unit{Name: "keycloak.service", State: host.Running, PID: 20})
	services := []Service{
		{Name: "nginx", Port: 443, Programs: []string{"nginx"}}, {Name: "nginx", Port: 80, Programs: []string{"nginx"}},
		{Name: "keycloak", Port: 8443, Loopback: true, Programs: []string{"java"}}, {Name: "keycloak", Port: 9000, Loopback: true, Programs: []string{"java"}},
		{Name: "postgresql", Port: 5432, Loopback: true, Programs: []string{"postgres"}},
	}
	probetest.Suite{
		Probe:      Listeners{Services: services},
		BareIsWell: "nobody listens, so nobody listens where he may not",
		Cases: map[string]probetest.Case{
			"well":              {Host: with()},
			"Keycloak public":   {Host: with(on("[::]:8443", false, 20, "java")), Want: []string{"listener.public keycloak"}, Says: []string{"[::]:8443 by java (pid 20), IPv4 too"}},
			"an own address":    {Host: with(on("[2001:db8::1]:8443", false, 20, "java")), Want: []string{"listener.public keycloak"}},
			"PostgreSQL public": {Host: with(on("0.0.0.0:5432", false, 30, "postgres"), on("[::]:5432", true, 30, "postgres")), Want: []string{"listener.public postgresql"}, Says: []string{"0.0.0.0:5432", "[::]:5432"}},
			"second port":       {Host: append(with(on("[::]:8080", false, 20, "java")), keycloak), Want: []string{"listener.public keycloak"}, Says: []string{"[::]:8080"}},
			"another java":      {Host: append(with(on("[::]:8080", false, 21, "java")), keycloak)},
			"dual stack":        {Host: with(on("[::]:443", false, 10, "nginx")), Want: []string{"listener.ipv4-open nginx"}, Says: []string{"IPv4 too"}},
			"IPv4":              {Host: with(on("0.0.0.0:80", false, 10, "nginx"), on("0.0.0.0:443", false, 10, "nginx")), Want: []string{"listener.ipv4-open nginx"}, Says: []string{"0.0.0.0:80", "0.0.0.0:443"}},
			"IPv4 loopback":     {Host: with(on("127.0.0.1:80", false, 10, "nginx"))},
			"foreign on 8443":   {Host: with(on("[::]:8443", false, 66, "nc")), Want: []string{"listener.taken 8443"}, Says: []string{"taken by nc", "nc (pid 66)"}},
			"foreign on 443":    {Host: with(on("0.0.0.0:443", false, 66, "apache2")), Want: []string{"listener.taken 443"}},
			"not root":          {Host: []hosttest.Option{hosttest.Listeners(on("[::]:8443", false, 0, ""), on("[::]:443", true, 0, ""), on("[::1]:5432", false, 0, ""))}, Want: []string{"listener.public keycloak"}, Says: []string{"process unknown"}},
			"two faults":        {Host: with(on("[::]:443", false, 10, "nginx"), on("[::]:9000", false, 20, "java")), Want: []string{"listener.ipv4-open nginx", "listener.public keycloak"}},
		},
	}.Run(t)
}
