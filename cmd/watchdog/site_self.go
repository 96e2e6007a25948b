package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"watchdog/rules"
)

// siteMachine is what tells one host of a site from another.
type siteMachine struct {
	addresses func() ([]net.Addr, error)
	hostname  func() (string, error)
}

// self finds the host that this machine is: by address, which only one host of
// a site has, or else by name, for a machine whose address is yet to be set.
func (m siteMachine) self(s rules.Stack) (string, error) {
	all, err := m.addresses()
	if err != nil {
		return "", fmt.Errorf("list the addresses of this machine: %w; say which host it is: --host KEY", err)
	}
	var found []string
	for _, h := range s.Hosts {
		for _, a := range all {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == h.Address {
					found = append(found, h.Name)
					break
				}
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return m.byName(s)
	}
	return "", fmt.Errorf("this machine has the addresses of hosts %s; say which one it is: --host KEY", strings.Join(found, " and "))
}

func (m siteMachine) byName(s rules.Stack) (string, error) {
	name, err := m.hostname()
	if err != nil {
		return "", fmt.Errorf("read the host name: %w; say which host this is: --host KEY", err)
	}
	var keys []string
	for _, h := range s.Hosts {
		// The public name as host name is a fault, and one to be seen from here.
		if name == h.Name || name == h.FQDN {
			return h.Name, nil
		}
		keys = append(keys, h.Name)
	}
	return "", errors.New("this machine has no address and no name of the site's hosts (" + strings.Join(keys, ", ") +
		"); say which one it is: --host KEY")
}
