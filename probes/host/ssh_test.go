package host_test

import (
	"io/fs"
	"net/netip"
	"slices"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

func TestSSHPorts(t *testing.T) {
	listens := func(address string) hosttest.Option {
		return hosttest.Listeners(host.Listener{Addr: netip.MustParseAddrPort(address), Program: "sshd", PID: 300})
	}
	proc := func(owner string) hosttest.Option {
		return hosttest.Node("/proc/300", &host.Node{Mode: fs.ModeDir | 0o555, Owner: owner, Group: owner})
	}
	config := hosttest.File("/etc/ssh/sshd_config", "#Port 2022\nport 2222\nListenAddress [2001:db8::1]:2223\nListenAddress ::\n")
	tests := map[string]struct {
		opts []hosttest.Option
		want []uint16
		err  bool
	}{
		"no sshd":          {nil, nil, false},
		"it runs":          {[]hosttest.Option{listens("[::]:2022"), proc("root")}, []uint16{2022}, false},
		"it is gone since": {[]hosttest.Option{listens("[::]:2022")}, nil, false},
		"what sshd says": {
			[]hosttest.Option{hosttest.Output("sshd -T", "port 22\nlistenaddress [::]:2200\nlistenaddress 0.0.0.0:2200\nlistenaddress [::1]:2201\n"), config, listens("[::]:22"), proc("root")},
			[]uint16{22, 2200}, false,
		},
		"what it says can't be read": {[]hosttest.Option{hosttest.Output("sshd -T", "listenaddress any\n")}, nil, true},
		"what its files say": {
			[]hosttest.Option{config, hosttest.File("/etc/ssh/sshd_config.d/a.conf", "Port=2224\n"), hosttest.File("/etc/ssh/sshd_config.d/a.old", "Port 1\n")},
			[]uint16{2222, 2223, 2224}, false,
		},
		"its files can't be read":                        {[]hosttest.Option{hosttest.Unreadable("/etc/ssh", fs.ErrPermission)}, nil, true},
		"stopped, and its file says nothing":             {[]hosttest.Option{hosttest.File("/etc/ssh/sshd_config", "UsePAM yes\n")}, []uint16{22}, false},
		"a user's program of that name":                  {[]hosttest.Option{listens("[::]:22"), proc("mallory")}, nil, false},
		"for the host itself only":                       {[]hosttest.Option{listens("[::1]:22"), proc("root")}, nil, false},
		"a machine of which the listeners can't be seen": {[]hosttest.Option{hosttest.Blind()}, nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := hosttest.New(tt.opts...).SSHPorts(t.Context())
			if (err != nil) != tt.err || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v, error %t", got, err, tt.want, tt.err)
			}
		})
	}
}
