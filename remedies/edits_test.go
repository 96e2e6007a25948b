package remedies_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

func TestWriteString(t *testing.T) {
	file := text("a\n")
	tests := map[string]remedies.Write{
		"create /x (root:root 0644)":                   {Path: "/x", New: file},
		"create /x (directory keycloak:keycloak 0750)": {Path: "/x", New: remedies.Directory("keycloak", "keycloak", 0o750)},
		"create /x (link to ../y)":                     {Path: "/x", New: remedies.Link("../y")},
		"remove /x":                                    {Path: "/x", Old: file},
		"change /x":                                    {Path: "/x", Old: file, New: text("b\n")},
		"set /x from root:root 0644 to keycloak:keycloak 0600":       {Path: "/x", Old: file, New: remedies.File([]byte("a\n"), "keycloak", "keycloak", 0o600)},
		"set /proc/sys/net/ipv6/conf/all/accept_ra from 1 to 0":      {Path: "/proc/sys/net/ipv6/conf/all/accept_ra", Old: text("1\n"), New: text("0\n")},
		"set /x from directory root:root 0755 to directory a:b 0700": {Path: "/x", Old: remedies.Directory("root", "root", 0o755), New: remedies.Directory("a", "b", 0o700)},
	}
	for want, w := range tests {
		if got := w.String(); got != want {
			t.Errorf("String() = %q; want %q", got, want)
		}
	}
}

func TestWriteDiff(t *testing.T) {
	w := remedies.Write{Path: "/etc/hosts", Old: text("a\nb\nc\n"), New: text("a\nB\nc\n")}
	want := "# change /etc/hosts\n--- /etc/hosts\n+++ /etc/hosts\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
	if d := cmp.Diff(want, w.Diff()); d != "" {
		t.Error(d)
	}
	binary := remedies.Write{Path: "/x", New: text("\xff\x00")}
	if got := binary.Diff(); !strings.Contains(got, "+(2 bytes, not text)\n") {
		t.Errorf("Diff() = %q", got)
	}
	mode := remedies.Write{Path: "/x", Old: text("a\n"), New: remedies.File([]byte("a\n"), "root", "root", 0o600)}
	if got, want := mode.Diff(), "# set /x from root:root 0644 to root:root 0600\n"; got != want {
		t.Errorf("Diff() = %q; want %q", got, want)
	}
}

// Of a secret nothing is seen, on either side: neither of those that are known
// nor of those that a person left in a file.
func TestWriteDiffHidesSecrets(t *testing.T) {
	const secret = "s3cret"
	hide := []host.Secret{host.NewSecret("known-s3cret"), {}}
	tests := map[string]struct{ path, old, now, want string }{
		"known":             {"/x", "url=postgres://known-s3cret@h\n", "url=postgres://known-s3cret@i\n", "+url=postgres://[redacted]@i\n"},
		"keycloak.conf":     {"/x", "db-password=theirs3cret\n", "db-password=known-s3cret\ndb=postgres\n", "+db=postgres\n"},
		"drop-in":           {"/x", "Environment=\"KEYCLOAK_ADMIN_PASSWORD=s3cret with blanks\" \"B=s3cret\"\n", "", "-Environment=\"KEYCLOAK_ADMIN_PASSWORD=[redacted]\n"},
		"oauth2-proxy":      {"/x", "client_secret = \"s3cret\"\ncookie_secret= 's3cret'\n", "", "-client_secret = [redacted]\n-cookie_secret= [redacted]\n"},
		"json":              {"/x", `{"secret": "s3cret"}` + "\n", "", `-{"secret": [redacted]` + "\n"},
		"key":               {"/x", "-----BEGIN EC PRIVATE KEY-----\ns3cret\ns3cret\n-----END EC PRIVATE KEY-----\ncert\n", "", "------BEGIN EC PRIVATE KEY----- [redacted]\n-cert\n"},
		"cut key":           {"/x", "-----BEGIN PRIVATE KEY-----\ns3cret\ns3cret\n", "", "------BEGIN PRIVATE KEY----- [redacted]\n"},
		"secret's own file": {host.SecretDir + "/keycloak-db", "", "s3cret", "+[redacted]\n"},
		"no secret":         {"/x", "", "password_encryption = scram-sha-256\nclient_secret_file = /etc/x\n", "+password_encryption = scram-sha-256\n+client_secret_file = /etc/x\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := remedies.Write{Path: tt.path, Old: text(tt.old), New: text(tt.now), Hide: hide}
			got := w.Diff()
			if strings.Contains(got+w.String(), secret) {
				t.Errorf("a secret is in the diff:\n%s", got)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("the diff is\n%s\nwant in it: %s", got, tt.want)
			}
		})
	}
	changed := remedies.Write{Path: "/x", Old: text("password: known-s3cret\n"), New: text("password: other\n"), Hide: hide}
	if got := changed.Diff(); got != "# change /x\n" {
		t.Errorf("a changed secret shows as %q", got)
	}
}

func TestConverge(t *testing.T) {
	h := hosttest.New(hosttest.File("/etc/a", "a"), hosttest.Link("/etc/l", "a"), hosttest.Unreadable("/etc/closed", errRefused))
	odd := remedies.File([]byte("a"), "root", "root", 0o600)
	for name, tt := range map[string]struct {
		path string
		want *host.Node
		text string
	}{
		"as it is":       {"/etc/a", text("a"), ""},
		"not there":      {"/etc/b", nil, ""},
		"other content":  {"/etc/a", text("b"), "change /etc/a"},
		"other mode":     {"/etc/a", odd, "set /etc/a from root:root 0644 to root:root 0600"},
		"missing":        {"/etc/b", text("b"), "create /etc/b (root:root 0644)"},
		"too much":       {"/etc/a", nil, "remove /etc/a"},
		"link as it is":  {"/etc/l", remedies.Link("a"), ""},
		"link elsewhere": {"/etc/l", remedies.Link("b"), "change /etc/l"},
	} {
		edits, err := remedies.Converge(h, tt.path, tt.want)
		got := ""
		for _, e := range edits {
			got += e.String()
		}
		if err != nil || got != tt.text {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.text)
		}
	}
	if _, err := remedies.Converge(h, "/etc/closed", nil); err == nil || !strings.Contains(err.Error(), "read /etc/closed: ") {
		t.Errorf("Converge = %v; want that it can't be read", err)
	}
}
