package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestCheckDial(t *testing.T) {
	for _, ok := range [][2]string{
		{"tcp6", "[::1]:8443"}, {"udp6", "[2001:db8::53]:53"}, {"tcp6", "[fe80::1%eth0]:80"},
		{"tcp4", "127.0.0.1:5432"}, {"udp4", "192.0.2.1:53"}, {"unix", "/run/x"},
	} {
		if err := CheckDial(ok[0], ok[1]); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for _, bad := range [][2]string{
		{"tcp6", "127.0.0.1:80"}, {"tcp6", "[::ffff:127.0.0.1]:80"}, {"tcp4", "[::1]:80"}, {"tcp4", "[::ffff:127.0.0.1]:80"},
		{"tcp6", "localhost:80"}, {"tcp6", ":80"}, {"tcp6", "[::1]"}, {"tcp6", "[::1]:https"}, {"tcp", "[::1]:80"}, {"udp", "[::1]:53"},
		{"unix", "run/x"}, {"unix", "@abstract"}, {"", "[::1]:80"}, {"ip6", "::1"},
	} {
		if err := CheckDial(bad[0], bad[1]); err == nil {
			t.Errorf("%v: not refused", bad)
		}
		if _, err := new(network).Dial(t.Context(), bad[0], bad[1]); err == nil {
			t.Errorf("%v: dialled", bad)
		}
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("listen on %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestDial(t *testing.T) {
	l := listen(t, "tcp6", "[::1]:0")
	c, err := new(network).Dial(t.Context(), "tcp6", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	if _, err := new(network).Dial(t.Context(), "tcp6", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(network).Dial(ctx, "tcp6", l.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	u := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	if c, err := new(network).Dial(t.Context(), "unix", u.Addr().String()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestListeners(t *testing.T) {
	program, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	self := string(program[:len(program)-1])
	six, both, four := listen(t, "tcp6", "[::1]:0"), listen(t, "tcp", "[::]:0"), listen(t, "tcp4", "127.0.0.1:0")
	only := listen(t, "tcp6", "[::]:0") // Go sets IPV6_V6ONLY for tcp6
	// A connection is no listener, though it has the listener's port.
	c, err := net.Dial("tcp6", six.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	n := new(network)
	for round := range 2 { // the second finds the holders it remembers
		list, err := n.Listeners(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []Listener{
			{Addr: addrPort(t, six), V6Only: true}, {Addr: addrPort(t, only), V6Only: true},
			{Addr: addrPort(t, both)}, {Addr: addrPort(t, four)},
		} {
			want.PID, want.Program = os.Getpid(), self
			var got []Listener
			for _, l := range list {
				if l.Addr.Port() == want.Addr.Port() {
					got = append(got, l)
				}
			}
			if len(got) != 1 || got[0] != want {
				t.Errorf("round %d: got %+v, want one, %+v", round, got, want)
			}
		}
	}
	six.Close()
	list, err := n.Listeners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.Addr == addrPort(t, six) {
			t.Errorf("closed, but listed: %+v", l)
		}
	}
}

func addrPort(t *testing.T, l net.Listener) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseDiagRefusesShortAnswers(t *testing.T) {
	for _, n := range []int{0, 1, diagMsgSize - 1} {
		if _, err := parseDiag(make([]byte, n)); err == nil {
			t.Errorf("%d bytes: no error", n)
		}
	}
}

func TestAddresses(t *testing.T) {
	list, err := new(network).Addresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	ifs, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			want[i.Name+" "+a.String()] = true
		}
	}
	if len(want) == 0 {
		t.Skip("no address here")
	}
	for _, a := range list {
		key := a.Interface + " " + a.Prefix.String()
		if !want[key] || a.Tentative || a.DADFailed {
			t.Errorf("unexpected address %+v", a)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("missing address %s", key)
	}
}

func TestEndedContexts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	n := new(network)
	if _, err := n.Listeners(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("listeners: %v", err)
	}
	if _, err := n.Addresses(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("addresses: %v", err)
	}
}
