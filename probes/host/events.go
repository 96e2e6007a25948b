package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/fsnotify/fsnotify"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Source tells of one kind of event until ctx ends or it is lost; then it
// returns an error that says how. fire gets the name of what changed, as it
// stands in names, or the empty string where there is only one thing.
type Source func(ctx context.Context, names []string, fire func(name string)) error

// Sources of events on this machine, by kind: "unit", "file", "address",
// "firewall".
func Sources() map[string]Source {
	return map[string]Source{
		"unit":     unitEvents,
		"file":     fileEvents,
		"address":  addressEvents,
		"firewall": firewallEvents,
	}
}

// aliveCheck is how often a D-Bus connection is looked at: nothing tells when
// it is lost.
const aliveCheck = 5 * time.Second

// unitEvents listens on the system bus. (On systemd's private socket
// Manager.Subscribe was seen never to answer.)
func unitEvents(ctx context.Context, names []string, fire func(string)) error {
	conn, err := sd.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("listen to systemd: %w", err)
	}
	defer conn.Close()
	if err := conn.Subscribe(); err != nil {
		return fmt.Errorf("listen to systemd: %w", err)
	}
	updates := make(chan *sd.PropertiesUpdate, 64)
	lost := make(chan error, 1)
	conn.SetPropertiesSubscriber(updates, lost)
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	alive := time.NewTicker(aliveCheck)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return fmt.Errorf("listen to systemd: %w", err)
		case u := <-updates:
			if _, state := u.Changed["ActiveState"]; state && wanted[u.UnitName] {
				fire(u.UnitName)
			}
		case <-alive.C:
			if !conn.Connected() {
				return errors.New("listen to systemd: connection lost")
			}
		}
	}
}

// fileEvents watches the directories that the files are in, because files are
// replaced and certbot swaps links.
func fileEvents(ctx context.Context, names []string, fire func(string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer w.Close()
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
		// The nearest directory that is there: what is to come is made in it.
		for dir := filepath.Dir(n); ; dir = filepath.Dir(dir) {
			if err = w.Add(dir); err == nil || dir == "/" {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", n, err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.Errors:
			return fmt.Errorf("watch files: %w", err)
		case e := <-w.Events:
			for name := range wanted {
				// A change of a directory on the way to a file is one of the
				// file's: its owner and mode decide who can read it.
				if e.Name == name || filepath.Dir(name) == e.Name || filepath.Dir(e.Name) == filepath.Dir(filepath.Dir(name)) && e.Has(fsnotify.Create) {
					fire(name)
				}
			}
		}
	}
}

func addressEvents(ctx context.Context, _ []string, fire func(string)) error {
	return netlinkEvents(ctx, unix.NETLINK_ROUTE, fire, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_LINK)
}

func firewallEvents(ctx context.Context, _ []string, fire func(string)) error {
	return netlinkEvents(ctx, unix.NETLINK_NETFILTER, fire, unix.NFNLGRP_NFTABLES)
}

// netlinkEvents fires for every message of the groups; what it says is left to
// the probes, which look for themselves.
func netlinkEvents(ctx context.Context, family int, fire func(string), groups ...uint) error {
	s, err := nl.Subscribe(family, groups...)
	if err != nil {
		return fmt.Errorf("listen to the kernel: %w", err)
	}
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	for {
		_, _, err := s.Receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS): // some were dropped: so something changed
		case err != nil:
			s.Close()
			return fmt.Errorf("listen to the kernel: %w", err)
		}
		fire("")
	}
}
