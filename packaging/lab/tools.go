package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"watchdog/packaging/lab/apt"
)

// tool is a program of the machine that the lab runs, and why.
type tool struct{ program, pkg, why string }

var tools = []tool{
	{"systemd-nspawn", "systemd-container", "boots the hosts"},
	{"debootstrap", "debootstrap", "makes their root file system"},
	{"nft", "nftables", "cuts links"},
	{"curl", "curl", "is what the client asks with"},
}

// installTools installs by apt-get what is missing, and nothing else.
func (l *Lab) installTools(ctx context.Context) error {
	var names, why []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil && !slices.Contains(names, t.pkg) {
			names = append(names, t.pkg)
			why = append(why, t.pkg+" ("+t.why+")")
		}
	}
	if _, err := os.Stat("/etc/ssl/certs/ca-certificates.crt"); err != nil {
		names = append(names, "ca-certificates")
		why = append(why, "ca-certificates (downloads are by https)")
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return &Refusal{"install " + strings.Join(names, ", ") + " first: the lab needs them, and only knows apt-get to fetch them"}
	}
	l.say.line("this machine: installing %s", strings.Join(why, ", "))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	install := append([]string{"--no-install-recommends", "install"}, names...)
	run := func(what string) func(*exec.Cmd) error {
		return func(c *exec.Cmd) error { return l.run(what, l.command(ctx, c.Args[0], c.Args[1:]...)) }
	}
	err := apt.Run(ctx, run("this machine"), install...)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// Package lists that are missing or old are the common cause.
	if e := apt.Run(ctx, run("this machine: package lists"), "update"); e != nil {
		return errors.Join(err, e)
	}
	return apt.Run(ctx, run("this machine"), install...)
}

// fetchPebble builds the ACME server once.
func (l *Lab) fetchPebble(ctx context.Context) error {
	if _, err := os.Stat(l.pebble()); err == nil {
		return nil
	}
	compiler, err := exec.LookPath("go")
	if err != nil {
		compiler = "/usr/local/go/bin/go"
		if _, err := os.Stat(compiler); err != nil {
			return fmt.Errorf("build the ACME server: no Go compiler in PATH nor in /usr/local/go/bin; install Go, or put pebble %s at %s", pebbleVersion, l.pebble())
		}
	}
	l.say.line("ACME server: building pebble %s", pebbleVersion)
	build := l.cached("bin", "build-"+l.name)
	defer os.RemoveAll(build)
	if err := os.MkdirAll(build, 0o755); err != nil {
		return fmt.Errorf("make build directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	c := l.command(ctx, compiler, "install", pebbleModule+"@"+pebbleVersion)
	c.Dir = build
	c.Env = append(c.Env, "GOBIN="+build, "GOWORK=off", "CGO_ENABLED=0")
	if os.Getenv("HOME") == "" {
		c.Env = append(c.Env, "HOME=/root")
	}
	if err := l.run("ACME server", c); err != nil {
		return err
	}
	return os.Rename(build+"/pebble", l.pebble())
}
