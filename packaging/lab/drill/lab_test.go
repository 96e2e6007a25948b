package drill_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"watchdog/packaging/lab"
)

// The tests below stand up the lab as a user would, by the program's own
// command, and rehearse the book on it. They need root on a Debian machine; where
// that is not to be had they fail, and -short leaves them out by name.

// drills are the ones every change has to pass.
var drills = []string{
	"kc-killed", "pg-stopped", "cert-copy-perms", "nginx-stopped",
	"host-hosts-wrong", "fw-flushed", "kc-public-bind", "pg-hba-trust",
}

const labName = "citest"

func TestLab(t *testing.T) {
	if testing.Short() {
		t.Skipf("left out by -short: the lab, install, a killed install, %s", strings.Join(drills, ", "))
	}
	program := build(t)
	l, err := lab.New(lab.Options{Name: labName, Binary: program, Log: testWriter{t}})
	if err != nil {
		t.Fatalf("the lab cannot run here, and without it nothing is proved (-short leaves it out): %v", err)
	}
	w := &watchdog{t: t, program: program, lab: l}
	t.Cleanup(func() { w.down() })
	w.down()

	start := time.Now()
	w.run("lab", "up", "--name", labName, "--no-install")
	t.Logf("lab up: %s", time.Since(start).Round(time.Second))

	for _, part := range []struct {
		name string
		test func(*watchdog)
	}{
		{"bad input touches nothing", (*watchdog).badInput},
		{"trouble on the way", (*watchdog).trouble},
		{"install, killed on the way", (*watchdog).killedInstall},
		{"a second install changes nothing", (*watchdog).secondInstall},
		{"diagnose shows every layer", (*watchdog).diagnose},
		{"the guide's own checks", (*watchdog).guide},
		{"metrics", (*watchdog).metrics},
		{"an open secret is refused", (*watchdog).openSecret},
		{"drills", (*watchdog).drills},
		{"others of the book", (*watchdog).others},
		{"killed at every step", (*watchdog).crashes},
		{"still as installed", (*watchdog).secondInstall},
	} {
		// Each part stands on those before it.
		if !t.Run(part.name, func(t *testing.T) { part.test(w.with(t)) }) {
			t.FailNow()
		}
	}
}

// A watchdog runs the program's commands in a test.
type watchdog struct {
	t       *testing.T
	program string
	lab     *lab.Lab
}

func (w *watchdog) with(t *testing.T) *watchdog { c := *w; c.t = t; return &c }

// run runs a command of the program on this machine and fails the test if it does.
func (w *watchdog) run(args ...string) {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), w.program, args...)
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("watchdog %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// in runs a shell script in a host.
func (w *watchdog) in(host, script string) (code int, out string) {
	w.t.Helper()
	var b bytes.Buffer
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	code, err := w.lab.Exec(ctx, host, []string{"sh", "-c", script}, nil, &b, &b)
	if err != nil {
		w.t.Fatalf("%s: %s: %v\n%s", host, script, err, b.String())
	}
	return code, b.String()
}

// must runs a script that has to succeed.
func (w *watchdog) must(host, script string) string {
	w.t.Helper()
	code, out := w.in(host, script)
	if code != 0 {
		w.t.Fatalf("%s: %s: exit code %d\n%s", host, script, code, out)
	}
	return out
}

func (w *watchdog) down() {
	out, err := exec.Command(w.program, "lab", "down", "--name", labName).CombinedOutput()
	if err != nil {
		w.t.Errorf("lab down: %v\n%s", err, out)
	}
	left, err := w.lab.Leftovers()
	if err != nil || len(left) > 0 {
		w.t.Errorf("lab down left %q (%v)", left, err)
	}
}

// badInput holds install to its word that a bad site file changes nothing.
func (w *watchdog) badInput() {
	const etc = "cd /etc && find . -type f -exec sha256sum {} + | sort | sha256sum"
	before := w.must("idp", etc)
	for name, script := range map[string]string{
		"a directory":          "mkdir /root/site.yaml && watchdog install --site /root/site.yaml",
		"others may write":     "cp /etc/watchdog/site.yaml /root/open.yaml && chmod 0666 /root/open.yaml && watchdog install --site /root/open.yaml",
		"no YAML":              "echo '{[' > /root/no.yaml && watchdog install --site /root/no.yaml",
		"an unknown key":       "sed s/address/adress/ /etc/watchdog/site.yaml > /root/key.yaml && watchdog install --site /root/key.yaml",
		"not there":            "watchdog install --site /root/none.yaml",
		"an IPv4 address":      "sed 's/2a02:8012:bc57:c0d2::babe/192.0.2.7/' /etc/watchdog/site.yaml > /root/v4.yaml && watchdog install --site /root/v4.yaml",
		"not one of the hosts": "watchdog install --host nobody",
		"an unknown flag":      "watchdog install --colour",
	} {
		if code, out := w.in("idp", script); code != 2 || strings.TrimSpace(out) == "" {
			w.t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
	if after := w.must("idp", etc); after != before {
		w.t.Error("something below /etc changed")
	}
}

// trouble gets in install's way: each time it has to say at which step, and the
// next run goes on.
func (w *watchdog) trouble() {
	w.run("lab", "net", "cut", "idp", "--port", "3142", "--name", labName)
	code, out := w.in("idp", "watchdog install")
	w.run("lab", "net", "join", "--name", labName)
	w.stopped("the registry unreachable", code, out, ", packages:", "Unable to connect")

	code, out = w.in("idp", `perl -e 'use Fcntl; open F, "+>>", "/var/lib/dpkg/lock-frontend"; my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl F, F_SETLK, $l or die; $| = 1; print "held\n"; sleep 60' > /tmp/held &
until grep -q held /tmp/held; do sleep 0.1; done; watchdog install; rc=$?; kill %1 2>/dev/null; kill $! ; exit $rc`)
	w.stopped("the package manager busy", code, out, ", packages:", "process")

	w.kill("12") // in the middle of the packages

	code, out = w.in("idp", "mount -t tmpfs -o size=60m tmpfs /opt && watchdog install; rc=$?; umount /opt; exit $rc")
	w.stopped("the disk full", code, out, ", keycloak.dist:", "no space left on device")
}

func (w *watchdog) stopped(what string, code int, out string, want ...string) {
	w.t.Helper()
	if code != 1 || !strings.Contains(out, "install stopped at step") {
		w.t.Errorf("%s: exit code %d\n%s", what, code, out)
	}
	for _, s := range want {
		if !strings.Contains(out, s) {
			w.t.Errorf("%s: not said: %q\n%s", what, s, out)
		}
	}
}

func (w *watchdog) openSecret() {
	const secret = "/var/lib/watchdog/secrets/keycloak-admin"
	// The engine would close it within a second: it is held meanwhile.
	code, out := w.in("idp", "touch /etc/watchdog/hold; chmod 0644 "+secret+"; watchdog plan; rc=$?; chmod 0600 "+secret+"; rm /etc/watchdog/hold; exit $rc")
	if code != 2 || !strings.Contains(out, secret) || !strings.Contains(out, "0644") {
		w.t.Errorf("exit code %d: %s", code, out)
	}
}

// killedInstall kills the installer at points spread over its run, and lets the
// last run finish.
func (w *watchdog) killedInstall() {
	for _, after := range []string{"3", "8", "14", "22"} {
		w.kill(after)
	}
	w.t.Log(w.must("idp", "watchdog install"))
}

// kill runs the installer for so many seconds and kills it, with what it had
// started: a package manager would go on by itself.
func (w *watchdog) kill(after string) {
	w.t.Helper()
	code, out := w.in("idp", "timeout -s KILL "+after+" watchdog install; rc=$?; pkill -KILL -x apt-get; pkill -KILL -x dpkg; exit $rc")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 137 { // not by the kill: it ended before, or could not go on
		w.t.Errorf("after %s s install ended by itself, exit code %d:\n%s", after, code, out)
	}
	w.t.Logf("killed after %s s at: %s", after, lines[len(lines)-1])
}

func (w *watchdog) secondInstall() {
	if out := w.must("idp", "watchdog plan"); !strings.Contains(out, "no change") {
		w.t.Errorf("plan after install:\n%s", out)
	}
	if out := w.must("idp", "watchdog install"); !strings.Contains(out, "nothing to do") {
		w.t.Errorf("second install:\n%s", out)
	}
}

func (w *watchdog) diagnose() {
	out := w.must("idp", "watchdog diagnose")
	for _, layer := range []string{"host", "service", "dns", "cert", "hook", "postgres", "keycloak", "issuer", "token", "realm", "nginx", "edge", "listeners", "firewall", "backup", "secrets"} {
		if !regexp.MustCompile(`(?m)^  ` + layer + ` +\d+ ok$`).MatchString(out) {
			w.t.Errorf("layer %s is not shown as well", layer)
		}
	}
	w.t.Log(out)
}

// guide runs section 13 of the guide as corrected, and what the realm is for.
func (w *watchdog) guide() {
	if out := w.must("idp", "curl -sS 'http://[::1]:9000/health/ready'"); !strings.Contains(out, `"UP"`) {
		w.t.Errorf("health: %s", out)
	}
	out := w.must("client", "curl -sS --cacert "+w.lab.Root("idp")+"/etc/ssl/certs/ca-certificates.crt https://idp.breathtechnology.co.uk/realms/breath/.well-known/openid-configuration")
	var discovery struct{ Issuer string }
	if err := json.Unmarshal([]byte(out), &discovery); err != nil || discovery.Issuer != "https://idp.breathtechnology.co.uk/realms/breath" {
		w.t.Errorf("issuer seen from outside: %q (%v)", discovery.Issuer, err)
	}
	for _, port := range []string{"5432", "8443", "9000", "9465"} {
		if code, out := w.in("client", "curl -sS -m 3 -o /dev/null 'http://[2a02:8012:bc57:cafe::babe]:"+port+"/'"); code == 0 {
			w.t.Errorf("port %s answers from outside: %s", port, out)
		}
	}
	if out := w.must("idp", "ls -ld /var/lib/watchdog /var/lib/watchdog/secrets; stat -c '%a %U' /var/lib/watchdog/secrets/*"); regexp.MustCompile(`(?m)^[0-7]*[1-7] `).MatchString(out) || strings.Contains(out, "644") {
		w.t.Errorf("secrets are open:\n%s", out)
	}
}

func (w *watchdog) metrics() {
	out := w.must("idp", "curl -sS 'http://[::1]:9465/metrics'")
	for _, want := range []string{"watchdog_up 1", `watchdog_probe_ok{probe="issuer.public"} 1`, "watchdog_symptoms 0", `watchdog_probe_duration_seconds_count{probe="token"}`} {
		if !strings.Contains(out, want) {
			w.t.Errorf("no %s in /metrics", want)
		}
	}
	if n := strings.Count(out, "\nwatchdog_"); n > 500 {
		w.t.Errorf("%d series, want at most 500 a host", n)
	}
}

func (w *watchdog) engineLog() string {
	_, out := w.in("idp", "journalctl -u watchdog-engine.service -o cat -n 60 --no-pager")
	return out
}

// build makes the program as it is released: static.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "watchdog")
	c := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "watchdog/cmd/watchdog")...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
