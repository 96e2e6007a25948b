package host_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

func TestSecretFromFile(t *testing.T) {
	file := func(mode fs.FileMode, data string) *host.Node {
		return &host.Node{Mode: mode, Owner: "root", Group: "root", Data: []byte(data)}
	}
	tests := []struct {
		name    string
		node    *host.Node
		want    string
		wantErr string
	}{
		{"there", file(0o600, "s3cret"), "s3cret", ""},
		{"read-only", file(0o400, "s3cret"), "s3cret", ""},
		{"not there yet", nil, "", ""},
		{"open to its group", file(0o640, "s3cret"), "", "mode 0640 lets others read it"},
		{"open to the world", file(0o604, "s3cret"), "", "chmod 0600 " + host.SecretDir + "/db"},
		{"writable by its group", file(0o620, "s3cret"), "", "mode 0620"},
		{"a link", &host.Node{Mode: fs.ModeSymlink | 0o777, Data: []byte("/etc/shadow")}, "", "not a regular file"},
		{"empty", file(0o600, ""), "", "is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := hosttest.NewMachine(hosttest.Dir(host.SecretDir))
			m.Set(host.SecretDir+"/db", tt.node)
			s, err := m.Host().Secret("db")
			if tt.wantErr == "" && (err != nil || s.Reveal() != tt.want || s.Missing() != (tt.want == "")) {
				t.Errorf("got %q, %v; want %q", s.Reveal(), err, tt.want)
			}
			if tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("got %v, want an error with %q", err, tt.wantErr)
			}
		})
	}
	if _, err := hosttest.New(hosttest.Unreadable(host.SecretDir, fs.ErrPermission)).Secret("db"); err == nil {
		t.Error("unreadable: no error")
	}
}

func TestSecretPrintsAsNothing(t *testing.T) {
	s := host.NewSecret("planted")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", s, "b", &s, "c", host.Admin{Secret: s})
	text, err := json.Marshal(map[string]any{"s": s, "p": &s, "a": host.Admin{Secret: s}})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(text)
	hidden := struct{ in []host.Secret }{[]host.Secret{s}}
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %p %10.3s") {
		all += fmt.Sprintf(verb+verb+verb+verb+"\n", s, &s, host.Admin{Secret: s}, hidden)
	}
	if strings.Contains(all, "planted") || strings.Contains(all, fmt.Sprintf("%x", "planted")) {
		t.Errorf("the secret is printed: %s", all)
	}
	if !strings.Contains(all, "[redacted]") {
		t.Errorf("nothing stands in its place: %s", all)
	}
}

func TestSecretEqual(t *testing.T) {
	a, b := host.NewSecret("x"), host.NewSecret("x")
	if a != b || !a.Equal(b) || a.Equal(host.NewSecret("y")) || a.Missing() {
		t.Error("secrets of the same bytes must be equal, others not")
	}
	if none := host.NewSecret(""); !none.Missing() || none.Reveal() != "" || none != (host.Secret{}) {
		t.Error("no bytes are no secret")
	}
}
