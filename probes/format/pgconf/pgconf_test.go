package pgconf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// debian is what pg_createcluster leaves, shortened.
const debian = `# - Connection Settings -

#listen_addresses = 'localhost'		# what IP address(es) to listen on;
					# comma-separated list of addresses;
port = 5432				# (change requires restart)
max_connections = 100			# (change requires restart)
#password_encryption = scram-sha-256	# scram-sha-256 or md5
include_dir = 'conf.d'			# include files ending in '.conf'
`

func TestGet(t *testing.T) {
	tests := map[string]struct {
		in, name string
		want     string // "LINE VALUE", empty for none
	}{
		"bare number":           {debian, "port", "5 5432"},
		"quoted":                {debian, "include_dir", "8 conf.d"},
		"commented out":         {debian, "listen_addresses", ""},
		"last wins":             {"port=1\nport=2\n#port=3\n", "port", "2 2"},
		"no equals sign":        {"listen_addresses '*'\n", "listen_addresses", "1 *"},
		"no space at all":       {"listen_addresses'*'#all\n", "listen_addresses", "1 *"},
		"case":                  {"Listen_Addresses = '*'\n", "listen_ADDRESSES", "1 *"},
		"hash in quotes":        {"a = 'x # y' # z\n", "a", "1 x # y"},
		"doubled quote":         {"a = 'it''s'\n", "a", "1 it's"},
		"escapes":               {`a = 'q\'\\\t\101.'` + "\n", "a", "1 q'\\\tA."},
		"empty":                 {"listen_addresses = ''\n", "listen_addresses", "1 "},
		"of an extension":       {"auto_explain.log_min_duration = 250ms\n", "auto_explain.log_min_duration", "1 250ms"},
		"carriage return":       {"port = 5432\r\n", "port", "1 5432"},
		"no newline at the end": {"port = 5432", "port", "1 5432"},
		"unterminated":          {"port = '5432\nport2 = 1\n", "port", ""},
		"two values":            {"port = 5432 5433\n", "port", ""},
		"part of a name":        {"ports = 1\n", "port", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, ok := Parse([]byte(tt.in)).Get(tt.name)
			got := ""
			if ok {
				got = string(rune('0'+a.Line)) + " " + a.Value
			}
			if got != tt.want {
				t.Errorf("Get(%q) = %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	const both = "127.0.0.1,::1"
	tests := map[string]struct{ in, want string }{
		"below the commented default": {
			debian,
			strings.Replace(debian, "of addresses;\n", "of addresses;\nlisten_addresses = '127.0.0.1,::1'\n", 1),
		},
		"in place, the comment kept": {
			"# a\n  listen_addresses='localhost'\t# mine\nport = 1\n",
			"# a\n  listen_addresses='127.0.0.1,::1'\t# mine\nport = 1\n",
		},
		"the last one, the earlier left": {
			"listen_addresses = '*'\nlisten_addresses = 'localhost'\n",
			"listen_addresses = '*'\nlisten_addresses = '127.0.0.1,::1'\n",
		},
		"already right": {"listen_addresses = '127.0.0.1,::1'\n", "listen_addresses = '127.0.0.1,::1'\n"},
		"at the end":    {"port = 1", "port = 1\nlisten_addresses = '127.0.0.1,::1'\n"},
		"into nothing":  {"", "listen_addresses = '127.0.0.1,::1'\n"},
		"a line the server would refuse is no assignment": {
			"listen_addresses = 'x\n", "listen_addresses = 'x\nlisten_addresses = '127.0.0.1,::1'\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := Parse([]byte(tt.in))
			if diff := cmp.Diff(tt.want, string(in.Set("listen_addresses", both).Bytes())); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.in, string(in.Bytes())); diff != "" {
				t.Errorf("Set changed the file it was called on:\n%s", diff)
			}
		})
	}
}

func TestUnset(t *testing.T) {
	in := "#port = 1\nport = 2 # x\nPORT 3\nports = 4\n# end\n"
	want := "#port = 1\nports = 4\n# end\n"
	if diff := cmp.Diff(want, string(Parse([]byte(in)).Unset("port").Bytes())); diff != "" {
		t.Error(diff)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(debian), "port", "5433")
	f.Add([]byte("a = 'x\\'\nb 'y''' # z\n#c = 1\n"), "c", "it's \\ \n")
	f.Add([]byte("listen_addresses=''"), "listen_addresses", "*")
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		file := Parse(data)
		if string(file.Bytes()) != string(data) {
			t.Fatalf("read and written again: %q became %q", data, file.Bytes())
		}
		if !isOption(name) || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || !isName(byte(r)) }) {
			return
		}
		set := Parse(file.Set(name, value).Bytes())
		if a, ok := set.Get(name); !ok || a.Value != value {
			t.Fatalf("Set(%q, %q) on %q gave %q, which says %q", name, value, data, set.Bytes(), a.Value)
		}
		if twice := set.Set(name, value); string(twice.Bytes()) != string(set.Bytes()) {
			t.Fatalf("setting twice: %q, then %q", set.Bytes(), twice.Bytes())
		}
		if diff := cmp.Diff(others(file, name), others(set, name)); diff != "" {
			t.Fatalf("Set(%q) changed what others say:\n%s", name, diff)
		}
		unset := Parse(set.Unset(name).Bytes())
		if a, ok := unset.Get(name); ok {
			t.Fatalf("line %d still assigns %q: %q", a.Line, name, unset.Bytes())
		}
		if diff := cmp.Diff(others(file, name), others(unset, name)); diff != "" {
			t.Fatalf("Unset(%q) changed what others say:\n%s", name, diff)
		}
	})
}

// others lists the assignments of all names but one.
func others(f File, name string) []string {
	var out []string
	for _, a := range f.Assignments() {
		if !strings.EqualFold(a.Name, name) {
			out = append(out, a.Name+"="+a.Value)
		}
	}
	return out
}
