package rules

import (
	"time"

	"watchdog/probes/system"
)

// hostTable holds the faults of the host itself. None of them depends on
// another: each is what others stand on.
var hostTable = []Rule{
	{
		Code: system.NameIsFQDN, Title: "The host is called by its public name", Severity: Warning,
		Explain: "When the host's own name is a public name of the site, the C library answers for it with every address of the host: " +
			"container bridges (172.17.0.1) and link-local ones (fe80::) among them. Programs on this host that ask by name may then " +
			"connect to the wrong place or hang, while everybody else sees nothing. A short name cures it.",
		Remedies: []string{"system.hostname"},
		Fix:      []string{"hostnamectl set-hostname idp    # any name that is not public", "getent ahosts $(hostname)"},
		Drill:    "host-fqdn",
	},
	{
		Code: system.HostsWrongAddress, Title: "/etc/hosts leads a public name astray", Severity: Warning,
		Explain: "A line of /etc/hosts maps {subject} to another address than the site's. Everything on this host that asks by name is " +
			"sent there; from outside all looks well. Debian's installer writes such a line (127.0.1.1), and so do container tools.",
		Remedies: []string{"system.hosts"},
		Fix:      []string{"grep -n '{subject}' /etc/hosts    # then correct the address or delete the line", "getent ahosts {subject}"},
		Drill:    "host-hosts-wrong",
	},
	{
		Code: system.HostsMissing, Title: "/etc/hosts lacks the host's own public name", Severity: Info,
		Explain: "Without its own line the host finds {subject} by DNS only, so that it depends on a resolver to reach itself. " +
			"It works as long as DNS does.",
		Remedies: []string{"system.hosts"},
		Fix:      []string{"printf '%s %s\\n' ADDRESS {subject} >> /etc/hosts"},
		Drill:    "host-hosts-missing",
	},
	{
		Code: system.GAIIPv4First, Title: "gai.conf does not put IPv6 first", Severity: Info,
		Explain: "The C library sorts addresses by the precedence lines of /etc/gai.conf. They put IPv4 first, or are missing, so that the " +
			"order is left to the library. Where a name has no A record nothing comes of it; on its own it neither causes nor cures a fault.",
		Remedies: []string{"system.gai"},
		Fix:      []string{"grep -n '^precedence' /etc/gai.conf    # wanted: ::/0 100 and ::ffff:0:0/96 10"},
		Drill:    "host-gai",
	},
	{
		Code: system.SysctlDrift, Title: "A kernel parameter endangers the fixed address", Severity: Warning,
		Explain: "{subject} is not 0, now or after the next start. With privacy addresses (use_tempaddr) the host speaks from addresses that " +
			"nobody knows; with router advertisements (accept_ra) it takes addresses and routes from whoever announces them. Settings for " +
			"\"all\" and \"default\" do not reach interfaces that are up already.",
		Remedies: []string{"system.sysctl"},
		Fix: []string{
			"sysctl {subject}",
			"sysctl -w {subject}=0",
			"grep -rn -e accept_ra -e use_tempaddr /etc/sysctl.d /etc/sysctl.conf",
		},
		Drill: "host-sysctl",
	},
	{
		Code: system.AcceptRANeeded, Title: "The way out hangs on router advertisements", Severity: Info,
		Explain: "{subject} listens to router advertisements, and nothing proves that the host could do without: there is no static default " +
			"route, or this interface has its routes or addresses from advertisements. Whoever announces a router on that link can so move " +
			"the host's traffic. It is left as it is, since turning it off could cut the host off; with a static default route it is turned off.",
		Fix: []string{
			"ip -6 route show    # \"proto ra\" or \"proto kernel ... expires\": made of advertisements",
			"ip -6 route replace default via GATEWAY dev {subject}    # for now",
			"editor /etc/network/interfaces    # for good: under \"iface {subject} inet6 static\" the line \"gateway GATEWAY\"",
		},
	},
	{
		Code: system.AddressMissing, Title: "The public address is gone", Severity: Critical,
		Explain: "No interface has the address that the site's AAAA record names, so nobody reaches this host. Somebody deleted it, the " +
			"interface was set up anew, or its network configuration failed.",
		Remedies: []string{"system.address"},
		Fix:      []string{"ip -6 addr show", "ip -6 addr add ADDRESS/64 dev INTERFACE"},
		Drill:    "host-address",
	},
	{
		Code: system.AddressDADFailed, Title: "Another machine has the public address", Severity: Critical,
		Explain: "Before it uses an address the kernel asks the network whether somebody has it already. Somebody answered, or the answer " +
			"never settled, and the address stays unusable. Usually a copy of this machine is running. The evidence names the machine that " +
			"answers now: as long as one does, trying again is in vain. Once none does, the address is tried again.",
		// Asking takes a second or two by itself.
		For:      5 * time.Second,
		Remedies: []string{"system.address"},
		Fix: []string{
			"ip -6 addr show tentative", "journalctl -k -n 50 -g 'duplicate address'",
			"bridge fdb show    # on the switch or the hypervisor: where the hardware address is; turn that machine off",
			"watchdog heal host.address-dad-failed    # once it is off",
		},
		Drill: "host-dad",
	},
	{
		Code: system.ClockSkew, Title: "The clock is wrong", Severity: Warning,
		Explain: "This host's clock is more than a minute off those of the site's other hosts and of the certificate authority. One-time " +
			"passwords fail first, then tokens, which live minutes, then certificates; and what is judged by its age here, certificates and " +
			"backups, is judged wrongly. The evidence names the time service and what it has done. The clock is not set from here: which one " +
			"is right, and what bears a jump, a person has to see.",
		Fix: []string{
			"timedatectl    # is there a time service, and has it synchronised the clock?",
			"apt-get install systemd-timesyncd    # where there is none",
			"systemctl restart systemd-timesyncd; timedatectl timesync-status    # or: systemctl restart chrony; chronyc tracking",
		},
		Drill: "host-clock",
	},
	{
		Code: system.DiskFull, Title: "A file system is full", Severity: Critical,
		Explain: "Next to nothing can be written below {subject}. PostgreSQL stops at the next piece of its log, and its start may then hang " +
			"for ever; Keycloak goes on saying UP until it needs the database. Backups past the site's time that are on it are deleted by " +
			"themselves, and nothing else: what else may go, a person decides. The evidence says what fills it.",
		Remedies: []string{"disk"},
		Fix: []string{
			"df -h {subject}; df -i {subject}", "du -xh {subject} | sort -h | tail -n 20",
			"journalctl --vacuum-size=200M", "watchdog backup list",
		},
		Drill: "host-disk",
	},
}
