package gaiconf

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stock is the part of Debian's own file that matters.
const stock = `# Configuration for getaddrinfo(3).
#
# precedence  <mask>   <value>
#precedence  ::1/128       50
#precedence  ::/0          40
#
#    For sites which prefer IPv4 connections change the last line to
#precedence ::ffff:0:0/96  100
label ::1/128 0
`

func TestPrecedence(t *testing.T) {
	tests := map[string]struct {
		in     string
		v6, v4 int
	}{
		"empty: glibc's table":      {"", 40, 10},
		"stock: glibc's table":      {stock, 40, 10},
		"the site's lines":          {"precedence ::/0 100\nprecedence ::ffff:0:0/96 10\n", 100, 10},
		"reversed":                  {"precedence ::/0 10\nprecedence ::ffff:0:0/96 100\n", 10, 100},
		"IPv4 raised alone":         {"precedence ::ffff:0:0/96 100 # prefer IPv4\n", 40, 100},
		"IPv6 alone covers IPv4":    {"precedence ::/0 100\n", 100, 100},
		"more specific wins":        {"precedence ::/0 1\nprecedence 2000::/3 7\nprecedence ::ffff:0:0/96 3\n", 7, 3},
		"a word that is no number":  {"precedence ::/0 high\n", 40, 10},
		"dotted IPv4 is not a mask": {"precedence 0.0.0.0/0 200\n", 40, 10},
		"another keyword":           {"label ::/0 200\n", 40, 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := Parse([]byte(tt.in))
			v6 := f.Precedence(netip.MustParseAddr("2a02:8012:bc57:cafe::babe"))
			v4 := f.Precedence(netip.MustParseAddr("192.0.2.1"))
			if v6.Value != tt.v6 || v4.Value != tt.v4 {
				t.Errorf("IPv6 %d, IPv4 %d; want %d, %d", v6.Value, v4.Value, tt.v6, tt.v4)
			}
		})
	}
}

func TestEntries(t *testing.T) {
	got := Parse([]byte(stock + "precedence ::1 50\n")).Entries()
	want := []Entry{{Line: 10, Prefix: netip.MustParsePrefix("::1/128"), Value: 50}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestSetPrecedence(t *testing.T) {
	const site = "precedence ::/0  100\nprecedence ::ffff:0:0/96  10\n"
	tests := map[string]struct{ in, want string }{
		"empty":          {"", site},
		"stock":          {stock, stock + site},
		"already right":  {stock + site, stock + site},
		"order is kept":  {"precedence\t::ffff:0:0/96 100 # v4\nprecedence ::/0 10\nreload yes\n", "precedence\t::ffff:0:0/96 10 # v4\nprecedence ::/0 100\nreload yes\n"},
		"one line each":  {"precedence ::/0 40\nprecedence ::/0 1\n", "precedence ::/0 100\nprecedence ::ffff:0:0/96  10\n"},
		"no newline":     {"label ::/0 1", "label ::/0 1\n" + site},
		"others' stay":   {"precedence 2002::/16 30\n", "precedence 2002::/16 30\n" + site},
		"value in mask":  {"precedence ::/0 0\n", "precedence ::/0 100\nprecedence ::ffff:0:0/96  10\n"},
		"written longer": {"precedence 0:0::0/0 5\nprecedence ::ffff:0.0.0.0/96 6\n", "precedence 0:0::0/0 100\nprecedence ::ffff:0.0.0.0/96 10\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Parse([]byte(tt.in)).SetPrecedence(IPv6, 100).SetPrecedence(IPv4, 10)
			if diff := cmp.Diff(tt.want, string(got.Bytes())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(stock))
	f.Add([]byte("precedence ::/0 1\nprecedence ::/0 2#\n precedence ::1\t3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse(data)
		if string(file.Bytes()) != string(data) {
			t.Fatalf("read and written again: %q became %q", data, file.Bytes())
		}
		set := file.SetPrecedence(IPv6, 100).SetPrecedence(IPv4, 10)
		again := Parse(set.Bytes())
		if twice := again.SetPrecedence(IPv6, 100).SetPrecedence(IPv4, 10); string(twice.Bytes()) != string(set.Bytes()) {
			t.Fatalf("setting twice: %q, then %q", set.Bytes(), twice.Bytes())
		}
		values := map[netip.Prefix]int{}
		for _, e := range again.Entries() {
			values[e.Prefix] = e.Value
		}
		if values[IPv6] != 100 || values[IPv4] != 10 {
			t.Fatalf("not set: %q", set.Bytes())
		}
	})
}
