package properties

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# Keycloak
hostname=https://idp.example.org
  hostname-strict = true

! both spellings of a comment
https-port: 8443
cache local
db-password=p\\a=s\
    s \u20ac\tx
cache=ispn
`

func parse(t *testing.T, s string) *File {
	t.Helper()
	f, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.Bytes()); got != s {
		t.Fatalf("bytes changed by reading:\n%s", cmp.Diff(s, got))
	}
	return f
}

func TestGet(t *testing.T) {
	f := parse(t, sample)
	for _, c := range []struct {
		key, value string
		line       int
	}{
		{"hostname", "https://idp.example.org", 2},
		{"hostname-strict", "true", 3},
		{"https-port", "8443", 6},
		{"db-password", "p\\a=ss €\tx", 8},
		{"cache", "ispn", 10}, // the last one counts
	} {
		got, ok := f.Get(c.key)
		if !ok || got != c.value || f.Line(c.key) != c.line {
			t.Errorf("%s = %q, %t on line %d; want %q on line %d", c.key, got, ok, f.Line(c.key), c.value, c.line)
		}
	}
	if v, ok := f.Get("hostname-url"); ok || f.Line("hostname-url") != 0 {
		t.Errorf("hostname-url = %q on line %d; want none", v, f.Line("hostname-url"))
	}
	want := []string{"hostname", "hostname-strict", "https-port", "cache", "db-password"}
	if d := cmp.Diff(want, f.Keys()); d != "" {
		t.Error(d)
	}
}

// The rules of java.util.Properties.load that a naive reader gets wrong.
func TestJavaRules(t *testing.T) {
	for _, c := range []struct{ name, text, key, value string }{
		{"no value", "k", "k", ""},
		{"no value, separator", "k=", "k", ""},
		{"two separators", "k==v", "k", "=v"},
		{"blank then equals", "k \t= v", "k", "v"},
		{"trailing blanks belong to the value", "k=v  ", "k", "v  "},
		{"escaped separator in the key", `a\=b\:c\ d=v`, "a=b:c d", "v"},
		{"unknown escapes lose the backslash", `k=\q\z`, "k", "qz"},
		{"two backslashes continue nothing", "k=v\\\\\nx=1", "k", `v\`},
		{"a comment sign inside a continuation is text", "k=a\\\n#b", "k", "a#b"},
		{"a comment is never continued", "# a\\\nk=v", "k", "v"},
		{"a lone backslash continues nothing", "\\\n# c\nk=v", "k", "v"},
		{"a blank line ends a continuation", "k=a\\\n\nx=1", "k", "a"},
		{"carriage returns", "k=a\\\r\n  b\r\nx=1\r", "k", "ab"},
		{"surrogate pair", `k=\uD83D\uDE00`, "k", "😀"},
		{"continuation into the end of the file", "k=v\\", "k", "v"},
		{"a lone backslash at the end is an empty key", "x=1\n\\", "", ""},
		{"no hash after a value starts a comment", "k=v # c", "k", "v # c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := parse(t, c.text).Get(c.key); !ok || got != c.value {
				t.Errorf("got %q, %t; want %q", got, ok, c.value)
			}
		})
	}
	if _, err := Parse([]byte("a=1\nk=\\u12x4\n")); err == nil || err.Error() != `line 2: read \u12x4: want four hexadecimal digits after \u` {
		t.Errorf("malformed \\u: %v", err)
	}
}

func TestEdit(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		edit           func(*File)
	}{
		{"as it is already", "a = 1 \\\n 2\n", "a = 1 \\\n 2\n", func(f *File) { f.Set("a", "1 2") }},
		{"in place", "# x\na: 1\nb=2\n", "# x\na=3\nb=2\n", func(f *File) { f.Set("a", "3") }},
		{"the earlier definition goes", "a=1\n# x\na=2\n", "# x\na=2\n", func(f *File) { f.Set("a", "2") }},
		{"at the end", "a=1", "a=1\nb=2\n", func(f *File) { f.Set("b", "2") }},
		{"after a dangling backslash", "a=1\\\n", "a=1\nb=2\n", func(f *File) { f.Set("b", "2") }},
		{"escaped", "", "k=\\ a\\\\b\\nc #=:\n", func(f *File) { f.Set("k", " a\\b\nc #=:") }},
		{"line ending kept", "a=1\r\nb=2\r\n", "a=9\r\nb=2\r\n", func(f *File) { f.Set("a", "9") }},
		{"delete all", "a=1\nb=2\na \\\n =3\n", "b=2\n", func(f *File) { f.Delete("a") }},
		{"comment", "a=1", "a=1\n\n# one\n# two\n", func(f *File) { f.Comment(""); f.Comment("one\ntwo") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := parse(t, c.in)
			c.edit(f)
			if d := cmp.Diff(c.want, string(f.Bytes())); d != "" {
				t.Error(d)
			}
			again := parse(t, string(f.Bytes()))
			for _, k := range f.Keys() {
				if f.Line(k) != again.Line(k) {
					t.Errorf("%s on line %d after the edit, %d when read again", k, f.Line(k), again.Line(k))
				}
			}
		})
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(sample, "hostname", "x")
	f.Add("a=1\\\n", "b", " \\u=")
	f.Add("a\\", "", "#")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		file, err := Parse([]byte(text))
		if err != nil {
			return
		}
		if string(file.Bytes()) != text {
			t.Fatalf("bytes changed by reading")
		}
		before := map[string]string{}
		for _, k := range file.Keys() {
			before[k], _ = file.Get(k)
		}
		before[key] = value
		file.Set(key, value)
		again, err := Parse(file.Bytes())
		if err != nil {
			t.Fatalf("read what was written: %v", err)
		}
		after := map[string]string{}
		for _, k := range again.Keys() {
			after[k], _ = again.Get(k)
			if again.Line(k) != file.Line(k) {
				t.Errorf("%q on line %d; want %d", k, file.Line(k), again.Line(k))
			}
		}
		if d := cmp.Diff(before, after); d != "" {
			t.Error(d)
		}
		if file.Delete(key); file.Line(key) != 0 {
			t.Errorf("%q is still there", key)
		}
	})
}
