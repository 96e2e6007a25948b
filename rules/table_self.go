package rules

import (
	"watchdog/probes/self"
	"watchdog/probes/system"
)

// selfTable holds the faults of the program itself. None of them keeps it from
// looking; what each keeps it from, its words say.
var selfTable = []Rule{
	{
		Code: self.EventsLost, Title: "Watchdog does not hear of events", Severity: Warning,
		Explain: "The source of events \"{subject}\" is lost: unit is systemd over the system bus, file is inotify, address and firewall are the " +
			"kernel's own. Nothing is missed for good, since everything is looked at from time to time as well, but it is seen seconds " +
			"later. The source is tried again every few seconds and comes back by itself once the reason is gone.",
		Fix: []string{
			"journalctl -u watchdog-engine.service -n 5 -g 'source of events'    # why",
			"systemctl start dbus.socket dbus.service; systemctl status dbus.service    # unit: the system bus",
			"sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances    # file: how much root's programs may have",
		},
		Drill: "wd-bus",
	},
	{
		Code: self.StateUnwritable, Title: "Watchdog cannot write down what it does", Severity: Warning,
		Explain: "What is tried, and how often, is kept in {subject}, and so is what a crash in the middle would leave half done. As long as " +
			"that cannot be written, everything is still watched, but only what costs next to nothing and needs no secret is healed, and " +
			"remembered until the next start only. A ledger that could not be read is kept beside the new one for a person to look at: " +
			"until that file is gone, budgets may have begun anew without reason.",
		DependsOn: []Ref{{Code: system.DiskFull}},
		Fix: []string{
			"ls -ld {subject}*; findmnt -T {subject}; df -h {subject}; df -i {subject}",
			"mount -o remount,rw \"$(findmnt -nro TARGET -T {subject})\"    # read-only: but look first why, with dmesg",
			"chown root:root {subject}; chmod go= {subject}",
			"systemctl restart watchdog-engine.service    # it keeps the mounts of its start: if they were wrong then",
			"rm {subject}.corrupt-*    # a ledger set aside, once nobody wants to look at it any more",
		},
		Drill: "wd-state-readonly",
	},
	{
		Code: self.LeftUndone, Title: "A change was cut off in the middle", Severity: Warning,
		Explain: "A run of {subject} was killed, or the host went down, while it changed something; or what failed could not be put back. " +
			"The same remedy looks what is left of its work and finishes it, and does again what makes services follow their files. " +
			"It is seen by the file that a remedy keeps while it is at work.",
		Confirm:  1,
		Remedies: []string{"{subject}"}, OfRemedy: true,
		Fix: []string{
			"cat /var/lib/watchdog/journal/{subject}.json",
			"watchdog plan; watchdog install    # finishes it",
			"rm /var/lib/watchdog/journal/{subject}.json    # if this version has no such remedy any more",
		},
		Drill: "wd-killed",
	},
}
