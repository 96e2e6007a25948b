package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Source tells of one kind of event until ctx ends or it is lost; then it
// returns an error that says how. fire gets the name of what changed, as it
// stands in names, or the empty string where there is only one thing.
//
// Once it listens it fires every name: what happened before, since an earlier
// source was lost say, nobody has told of.
type Source func(ctx context.Context, names []string, fire func(name string)) error

// Sources of events on this machine, by kind: "unit", "file", "address",
// "firewall".
func Sources() map[string]Source {
	return map[string]Source{
		"unit":     unitSource{dial: dialSignals, alive: aliveCheck}.listen,
		"file":     fileSource{sweep: sweepEvery}.listen,
		"address":  addressEvents,
		"firewall": firewallEvents,
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
	fire("")
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
