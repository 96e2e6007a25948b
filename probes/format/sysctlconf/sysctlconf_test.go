package sysctlconf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const site = `# IPv6 with fixed addresses
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.default.accept_ra=0
; and no privacy addresses
-net/ipv6/conf/eth0.200/use_tempaddr = 0
kernel.core_pattern=|/usr/bin/dump %p = %e
-net.ipv6.conf.wlan0.accept_ra
no equals sign
`

func TestSettings(t *testing.T) {
	want := []Setting{
		{Line: 2, Key: "net/ipv6/conf/all/accept_ra", Value: "0"},
		{Line: 3, Key: "net/ipv6/conf/default/accept_ra", Value: "0"},
		{Line: 5, Key: "net/ipv6/conf/eth0.200/use_tempaddr", Value: "0", Optional: true},
		{Line: 6, Key: "kernel/core_pattern", Value: "|/usr/bin/dump %p = %e"},
		{Line: 7, Key: "net/ipv6/conf/wlan0/accept_ra", Optional: true, Excluded: true},
	}
	if diff := cmp.Diff(want, Parse([]byte(site)).Settings()); diff != "" {
		t.Error(diff)
	}
}

func TestPath(t *testing.T) {
	tests := map[string]string{
		"net.ipv6.conf.eth0.accept_ra":        "/proc/sys/net/ipv6/conf/eth0/accept_ra",
		"net.ipv6.conf.enp3s0/200.forwarding": "/proc/sys/net/ipv6/conf/enp3s0.200/forwarding",
		"net/ipv6/conf/enp3s0.200/forwarding": "/proc/sys/net/ipv6/conf/enp3s0.200/forwarding",
	}
	for key, want := range tests {
		if got := Path(key); got != want {
			t.Errorf("Path(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestSet(t *testing.T) {
	const key = "net.ipv6.conf.all.accept_ra"
	tests := map[string]struct{ in, want string }{
		"empty":                 {"", key + " = 0\n"},
		"already right":         {site, site},
		"changed, comment kept": {"# a\n" + key + "  =  1\n# b\n", "# a\n" + key + "  =  0\n# b\n"},
		"slashes":               {"net/ipv6/conf/all/accept_ra=1\n", "net/ipv6/conf/all/accept_ra=0\n"},
		"the last one counts":   {key + "=2\n" + key + "=1\n", key + "=2\n" + key + "=0\n"},
		"no value":              {key + " =\n", key + " =0\n"},
		"no newline":            {"a.b=1", "a.b=1\n" + key + " = 0\n"},
		"a glob is not it":      {"net.ipv6.conf.*.accept_ra = 1\n", "net.ipv6.conf.*.accept_ra = 1\n" + key + " = 0\n"},
		"commented out":         {"#" + key + "=1\n", "#" + key + "=1\n" + key + " = 0\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Parse([]byte(tt.in)).Set(key, "0")
			if diff := cmp.Diff(tt.want, string(got.Bytes())); diff != "" {
				t.Error(diff)
			}
			if s, ok := got.Get(key); !ok || s.Value != "0" {
				t.Errorf("Get says %q %v", s.Value, ok)
			}
		})
	}
}

// TestLookup holds systemd's rules for several files: the last wins, and a glob
// only where nothing names the key (sysctl.d(5)).
func TestLookup(t *testing.T) {
	const key = "net.ipv6.conf.eth0.accept_ra"
	const glob = "net.ipv6.conf.*.accept_ra"
	tests := map[string]struct {
		files []string
		want  string // value and file, or nothing
	}{
		"nowhere":                 {[]string{"", "a.b=1"}, ""},
		"last file":               {[]string{key + "=1", key + "=0"}, "0 in 1"},
		"named before glob":       {[]string{key + "=0", glob + "=1"}, "0 in 0"},
		"last glob":               {[]string{glob + "=0", glob + "=2", "x.*=1"}, "2 in 1"},
		"kept from globs":         {[]string{"-" + key, glob + "=1"}, ""},
		"glob of other interface": {[]string{"net.ipv6.conf.wl*.accept_ra=1"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var files []File
			for _, s := range tt.files {
				files = append(files, Parse([]byte(s)))
			}
			got := ""
			if s, i, ok := Lookup(files, key); ok {
				got = s.Value + " in " + string(rune('0'+i))
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(site), "net.ipv6.conf.all.accept_ra")
	f.Add([]byte("a=\va\n-a\n=b\n-=\na = = "), "a")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		file := Parse(data)
		if string(file.Bytes()) != string(data) {
			t.Fatalf("read and written again: %q became %q", data, file.Bytes())
		}
		if key == "" || strings.ContainsAny(key, "-#;=\n") || key != strings.TrimSpace(key) {
			return
		}
		set := file.Set(key, "0")
		if s, ok := Parse(set.Bytes()).Get(key); !ok || s.Value != "0" {
			t.Fatalf("not set: %q", set.Bytes())
		}
		if twice := Parse(set.Bytes()).Set(key, "0"); string(twice.Bytes()) != string(set.Bytes()) {
			t.Fatalf("setting twice: %q, then %q", set.Bytes(), twice.Bytes())
		}
	})
}
