package rules

import (
	"watchdog/probes/dns"
	"watchdog/probes/firewall"
	"watchdog/probes/system"
)

// dnsTable holds the faults of the zone and of the resolvers. None of them can
// be healed from here, and nothing else depends on them: the program itself
// needs no name to resolve.
var dnsTable = []Rule{
	{
		Code: dns.APresent, Title: "The public name has an A record", Severity: Warning, Scope: There,
		Explain: "{subject} has an IPv4 address in the zone. Nothing listens on IPv4 here, so clients that try it first wait or fail. " +
			"The evidence has the record to delete.",
		Fix:   []string{"dig {subject} A    # delete this record from the zone; caches forget it after its TTL"},
		Drill: "dns-a-record",
	},
	{
		Code: dns.AAAAMissing, Title: "The public name has no AAAA record", Severity: Critical, Scope: There,
		Explain: "{subject} has no IPv6 address in the zone, so nobody finds this host. NXDOMAIN means that the name is gone altogether, " +
			"NODATA that only this record is. The evidence has the record to publish.",
		Fix:   []string{"dig {subject} AAAA    # publish the record that the evidence names"},
		Drill: "dns-aaaa-missing",
	},
	{
		Code: dns.AAAAWrong, Title: "The AAAA record names another address", Severity: Critical, Scope: There,
		Explain: "{subject} leads to another address than this host's, or to one more: clients go there, or take turns. The zone may be older " +
			"than the host's last move.",
		Fix:   []string{"dig {subject} AAAA    # leave only the record that the evidence names"},
		Drill: "dns-aaaa-wrong",
	},
	{
		Code: dns.ResolverDown, Title: "No resolver answers", Severity: Warning, Scope: There,
		Explain: "Every resolver of /etc/resolv.conf refuses, fails or stays silent for {subject}. Certificates can't renew and mail can't leave " +
			"while it lasts; logins go on, because nothing in the stack resolves names to reach itself.",
		// Without an address, or with its answers dropped, no resolver can be
		// heard. Both are healed in one step, and resolvers are back at once.
		DependsOn: []Ref{
			{Code: system.AddressMissing}, {Code: system.AddressDADFailed},
			{Code: firewall.ReturnBlocked}, {Code: firewall.NDPBlocked},
		},
		Fix:   []string{"cat /etc/resolv.conf", "dig @RESOLVER {subject} AAAA"},
		Drill: "dns-resolver",
	},
}
