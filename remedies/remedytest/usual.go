package remedytest

import (
	"fmt"
	"strings"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// handleUsual gives the handlers of commands whose effect is the same on every
// machine.
func (m *Machine) handleUsual() {
	m.Handle("packages-install", func(c remedies.Command) ([]byte, error) {
		for _, name := range c.Args {
			m.appendTo("/var/lib/dpkg/status", fmt.Sprintf("Package: %s\nStatus: install ok installed\n\n", name))
		}
		return nil, nil
	})
	m.Handle("user-add", func(c remedies.Command) ([]byte, error) {
		m.appendTo("/etc/passwd", fmt.Sprintf("%s:x:990:990::%s:/usr/sbin/nologin\n", c.Args[0], c.Args[1]))
		m.appendTo("/etc/group", c.Args[0]+":x:990:\n")
		return nil, nil
	})
	m.Handle("group-add", func(c remedies.Command) ([]byte, error) {
		m.appendTo("/etc/group", c.Args[0]+":x:991:\n")
		return nil, nil
	})
	m.Handle("hostname-set", func(remedies.Command) ([]byte, error) {
		n := m.Get(host.HostnameFile)
		n.Data = []byte(strings.TrimSpace(string(m.Get("/etc/hostname").Data)) + "\n")
		m.Set(host.HostnameFile, n)
		return nil, nil
	})
}

func (m *Machine) appendTo(name, text string) {
	n := m.Get(name)
	n.Data = append(n.Data, text...)
	m.Set(name, n)
}
