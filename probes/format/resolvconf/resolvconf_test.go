package resolvconf

import (
	"fmt"
	"testing"
)

func TestServers(t *testing.T) {
	tests := map[string]string{
		"":                                   "[127.0.0.1]",
		"# nameserver 192.0.2.1\nsearch x\n": "[127.0.0.1]",
		"nameserver 2001:db8::53\nnameserver\t192.0.2.53 # second\n":         "[2001:db8::53 192.0.2.53]",
		"nameserver fe80::1%eth0":                                            "[fe80::1%eth0]",
		"nameserver resolver.example.org\n nameserver ::1\n":                 "[127.0.0.1]",
		"nameserver ::1\r\nnameserver ::2\nnameserver ::3\nnameserver ::4\n": "[::1 ::2 ::3]",
		"nameserver ::ffff:192.0.2.1\n":                                      "[192.0.2.1]",
		"options nameserver ::1\nnameservers ::1\n":                          "[127.0.0.1]",
	}
	for in, want := range tests {
		if got := fmt.Sprint(Servers([]byte(in))); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzServers(f *testing.F) {
	f.Add([]byte("nameserver 2001:db8::53\n#\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := Servers(data)
		if len(got) == 0 || len(got) > maxServers {
			t.Fatalf("%d resolvers", len(got))
		}
		for _, a := range got {
			if !a.IsValid() || a.Is4In6() {
				t.Fatalf("%q: resolver %v can't be dialled by its family", data, a)
			}
		}
	})
}
