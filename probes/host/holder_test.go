package host

import (
	"net/netip"
	"testing"
)

func TestAdvertised(t *testing.T) {
	addr := netip.MustParseAddr("2001:db8::1")
	a := addr.As16()
	na := func(rest ...byte) []byte {
		return append(append([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, a[:]...), rest...)
	}
	target := []byte{2, 1, 2, 0, 0, 0, 0, 7}
	other := na(target...)
	other[23] = 2
	asked := na(target...)
	asked[0] = 135
	for name, tt := range map[string]struct {
		m    []byte
		want string
	}{
		"an answer":               {na(target...), "02:00:00:00:00:07"},
		"behind another option":   {na(append([]byte{14, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, target...)...), "02:00:00:00:00:07"},
		"for another address":     {other, ""},
		"a question":              {asked, ""},
		"without options":         {na(), ""},
		"an option of no size":    {na(append([]byte{14, 0, 0, 0, 0, 0, 0, 0}, target...)...), ""},
		"an option beyond it":     {na(2, 9, 2, 0, 0, 0, 0, 7), ""},
		"cut short":               {na(2, 1, 2)[:26], ""},
		"cut short in the target": {na()[:20], ""},
		"nothing":                 {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := advertised(tt.m, addr).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSolicitedNode(t *testing.T) {
	if got := solicitedNode(netip.MustParseAddr("2a02:8012:bc57:cafe::ba:be")).String(); got != "ff02::1:ffba:be" {
		t.Errorf("got %s", got)
	}
}
