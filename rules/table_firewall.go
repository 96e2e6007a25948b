package rules

import "watchdog/probes/firewall"

// firewallTable holds the faults of the packet filter. Those that let somebody
// in depend on nothing, not even on the service that loads the rules: a door is
// closed at once and its hinges are seen to after.
var firewallTable = []Rule{
	{
		Code: firewall.Missing, Title: "There is no firewall", Severity: Critical, Door: true,
		Explain: "No rule of the kernel closes any port: whatever listens on a public address, the world can reach. Usually somebody ran " +
			"\"nft flush ruleset\", or another tool replaced the rules. The program's own table is loaded again; rules of others are left alone.",
		Remedies: []string{"firewall"},
		Fix:      []string{"nft -f /etc/watchdog/firewall.nft", "nft list ruleset"},
		Drill:    "fw-flushed",
	},
	{
		Code: firewall.OpenPort, Title: "The firewall lets a port through", Severity: Critical, Door: true,
		Explain: "A new connection from anywhere to port {subject} would be accepted, and the site does not say that it should be. The evidence " +
			"names the rule. A port that is meant to be open belongs into the site file (firewall: allow).",
		Remedies: []string{"firewall"},
		Fix:      []string{"nft -a list ruleset    # find the rule by its handle", "nft delete rule FAMILY TABLE CHAIN handle HANDLE"},
		Drill:    "fw-open",
	},
	{
		Code: firewall.NDPBlocked, Title: "The firewall drops neighbour discovery", Severity: Critical,
		Explain: "IPv6 has no ARP: neighbours and routers ask for the host by ICMPv6. With that dropped, everything works until an entry is " +
			"lost, at a link flap or a restart, and then nothing does, not even port 443.",
		Remedies: []string{"firewall"},
		Fix:      []string{"nft -a list ruleset", "nft -f /etc/watchdog/firewall.nft"},
		Drill:    "fw-ndp",
	},
	{
		Code: firewall.ReturnBlocked, Title: "The firewall drops answers", Severity: Critical,
		Explain: "What comes back to connections of this host's own is dropped, or a router's word that packets are too big: downloads, name " +
			"resolution, certificate renewals or large pages hang.",
		Remedies: []string{"firewall"},
		Fix:      []string{"nft -a list ruleset", "nft -f /etc/watchdog/firewall.nft"},
		Drill:    "fw-established",
	},
	{
		Code: firewall.PortBlocked, Title: "The firewall closes a port of the site", Severity: Critical,
		Explain: "New connections from outside to port {subject} are dropped, so nobody can log in. Looked at from this host itself all is well: " +
			"a connection to one's own address passes every filter.",
		Remedies: []string{"firewall"},
		Fix:      []string{"nft -a list ruleset", "nft -f /etc/watchdog/firewall.nft"},
	},
}
