package remedies_test

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

var publicAddr = netip.MustParseAddr("2001:db8::1")

// interfaces follow the commands that add and remove addresses.
func interfaces(m *remedytest.Machine) *remedytest.Machine {
	m.Handle("address-add", func(c remedies.Command) ([]byte, error) {
		m.Change(hosttest.Addresses(address(c.Args[1], c.Args[0])))
		return nil, nil
	})
	m.Handle("address-del", func(remedies.Command) ([]byte, error) {
		m.Change(hosttest.Addresses())
		return nil, nil
	})
	return m
}

func TestAddress(t *testing.T) {
	site := remedies.Address{Addr: publicAddr, Interface: "eth0", Prefix: 64}
	learns := remedies.Address{Addr: publicAddr}
	record := hosttest.File(remedies.NetworkFile, `{"interface":"ens3","prefix":48}`)
	there := address("eth0", "2001:db8::1/64")
	failed := there
	failed.DADFailed, failed.Tentative = true, true
	stuck := there
	stuck.Tentative = true
	tests := map[string]struct {
		r    remedies.Address
		m    []hosttest.Option
		did  []string
		keep string // NetworkFile afterwards
	}{
		"there, the site says where":  {site, []hosttest.Option{hosttest.Addresses(there)}, nil, "(none)"},
		"there, to be remembered":     {learns, []hosttest.Option{hosttest.Addresses(there)}, nil, `{"interface":"eth0","prefix":64}` + "\n"},
		"there, on another than once": {learns, []hosttest.Option{record, hosttest.Addresses(there)}, nil, `{"interface":"eth0","prefix":64}` + "\n"},
		"gone, the site says where":   {site, nil, []string{"address-add 2001:db8::1/64 eth0"}, "(none)"},
		"gone, remembered":            {learns, []hosttest.Option{record}, []string{"address-add 2001:db8::1/48 ens3"}, `{"interface":"ens3","prefix":48}`},
		"somebody else had it":        {site, []hosttest.Option{hosttest.Addresses(failed)}, []string{"address-del 2001:db8::1/64 eth0", "address-add 2001:db8::1/64 eth0"}, "(none)"},
		"stuck in the asking":         {site, []hosttest.Option{hosttest.Addresses(stuck)}, []string{"address-del 2001:db8::1/64 eth0", "address-add 2001:db8::1/64 eth0"}, "(none)"},
		"half known, half remembered": {
			remedies.Address{Addr: publicAddr, Interface: "eth7"}, []hosttest.Option{record},
			[]string{"address-add 2001:db8::1/48 eth7"}, `{"interface":"ens3","prefix":48}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := interfaces(remedytest.New(append([]hosttest.Option{hosttest.Dir("/var/lib")}, tt.m...)...))
			same(t, "done", tt.did, mend(t, tt.r, m))
			same(t, remedies.NetworkFile, tt.keep, content(m, remedies.NetworkFile))
			if name != "half known, half remembered" && name != "gone, remembered" {
				again(t, tt.r, m)
			}
		})
	}
}

// TestAddressUnknown: nothing is guessed.
func TestAddressUnknown(t *testing.T) {
	for name, opt := range map[string]hosttest.Option{
		"nothing known":    hosttest.Addresses(address("eth0", "2001:db8::2/64")),
		"a spoilt record":  hosttest.File(remedies.NetworkFile, "{"),
		"a record of zero": hosttest.File(remedies.NetworkFile, `{"interface":"eth0","prefix":0}`),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := remedies.Address{Addr: publicAddr}.Plan(t.Context(), hosttest.New(opt))
			if err == nil {
				t.Errorf("planned %v", p.Lines())
			}
		})
	}
}

// TestAddressTaken: an address that somebody else holds is said to be so.
func TestAddressTaken(t *testing.T) {
	m := remedytest.New(hosttest.Holder("2001:db8::1", "02:00:00:00:00:07"))
	taken := host.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/64"), DADFailed: true}
	m.Handle("address-add", func(remedies.Command) ([]byte, error) {
		m.Change(hosttest.Addresses(taken))
		return nil, nil
	})
	_, err := tryMend(t, remedies.Address{Addr: publicAddr, Interface: "eth0", Prefix: 64}, m)
	if err == nil || !strings.Contains(err.Error(), "02:00:00:00:00:07 has 2001:db8::1") {
		t.Errorf("applied with error %v", err)
	}
}

// TestAddressTentative: an address is back when the kernel lets it be used.
func TestAddressTentative(t *testing.T) {
	m := remedytest.New()
	asking := host.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/64"), Tentative: true}
	var usable atomic.Bool
	m.Handle("address-add", func(remedies.Command) ([]byte, error) {
		m.Change(hosttest.Addresses(asking))
		time.AfterFunc(50*time.Millisecond, func() {
			usable.Store(true)
			m.Change(hosttest.Addresses(address("eth0", "2001:db8::1/64")))
		})
		return nil, nil
	})
	mend(t, remedies.Address{Addr: publicAddr, Interface: "eth0", Prefix: 64}, m)
	if !usable.Load() {
		t.Error("it was not waited for")
	}
}
