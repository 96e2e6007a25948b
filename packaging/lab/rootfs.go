package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const suite = "bookworm"

// bareTweaks are files of the root file system, there before dpkg runs. What is
// thrown away needs no fsync, and nobody reads manual pages in a lab.
var bareTweaks = map[string]string{
	"etc/dpkg/dpkg.cfg.d/lab": "force-unsafe-io\n" +
		"path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n" +
		"path-exclude=/usr/share/man/*/*\npath-exclude=/usr/share/info/*\n" +
		"path-exclude=/usr/share/locale/*/LC_MESSAGES/*\n",
	"etc/apt/apt.conf.d/80lab": "Acquire::http::Proxy \"" + proxyURL + "\";\n" +
		"Acquire::Languages \"none\";\nAPT::Install-Recommends \"false\";\n",
}

// barePackages beyond debootstrap's minbase: a host as a hoster hands it out, and
// nothing of the stack.
var barePackages = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd", "iproute2", "procps", "ca-certificates", "sudo",
	"curl", "iputils-ping", "netcat-openbsd", "openssl", "bind9-dnsutils",
}

// bareVersion changes whenever the recipe does, so that an old copy is not used.
func bareVersion() string {
	h := sha256.New()
	// The steps of makeBare that are not data; count up when they change.
	fmt.Fprintln(h, "steps 1", suite, barePackages, bareTweaks)
	return fmt.Sprintf("bare-%x", h.Sum(nil)[:5])
}

// makeBare makes the root file system that every host is a copy of.
func (l *Lab) makeBare(ctx context.Context) error {
	done := l.cached("rootfs", bareVersion())
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	l.say.line("root file system: debootstrap of %s with %d packages", suite, len(barePackages))
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	build := l.cached("rootfs", "build-"+l.name)
	debs := l.cached("debs")
	if err := errors.Join(os.MkdirAll(build, 0o755), os.MkdirAll(debs, 0o755)); err != nil {
		return fmt.Errorf("make root file system: %w", err)
	}
	// Memory first, then one copy to disk: dpkg syncs its own database however it is asked not to.
	inMemory := !l.disk && memAvailable() > plenty
	if inMemory {
		if err := unix.Mount("lab", build, "tmpfs", 0, "size=2g,mode=755"); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", build, err)
		}
	}
	defer func() {
		if inMemory {
			_ = unix.Unmount(build, unix.MNT_DETACH)
		}
		_ = os.Remove(build) // empty now, or kept for a look
	}()
	root := filepath.Join(build, "root")
	for name, text := range bareTweaks {
		if err := putFile(root, name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	c := l.command(ctx, "debootstrap", "--variant=minbase", "--cache-dir="+debs,
		"--include="+strings.Join(barePackages, ","), suite, root, mirror())
	if err := l.run("root file system", c); err != nil {
		return err
	}
	if err := finishBare(root); err != nil {
		return err
	}
	if inMemory {
		copied := l.cached("rootfs", "copy-"+l.name)
		if err := l.run("root file system: copy to the cache", l.command(ctx, "cp", "-a", root, copied)); err != nil {
			return err
		}
		root = copied
	}
	// Another lab may have been quicker; then theirs is as good.
	if err := os.Rename(root, done); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("finish root file system: %w", err)
	}
	l.dropOldRoots()
	l.say.line("root file system: made in %.1f s", time.Since(began).Seconds())
	return nil
}

// dropOldRoots removes root file systems of earlier recipes that no lab stands on.
func (l *Lab) dropOldRoots() {
	list, err := mounts()
	if err != nil {
		return
	}
	old, _ := filepath.Glob(l.cached("rootfs", "bare-*"))
	for _, dir := range old {
		inUse := slices.ContainsFunc(list, func(m mount) bool { return strings.Contains(m.options, dir) })
		if filepath.Base(dir) != bareVersion() && !inUse {
			_ = os.RemoveAll(dir)
		}
	}
}

// finishBare turns what debootstrap leaves into what a host starts from.
func finishBare(root string) error {
	sources, err := hostSources(aptDir)
	if err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(root, "etc/apt/sources.list"))
	return errors.Join(
		putFile(root, "etc/apt/sources.list.d/debian.sources", sources, 0o644),
		putFile(root, "etc/apt/apt.conf.d/81machine", machineAptOptions(), 0o644),
		putFile(root, "etc/machine-id", nil, 0o444), // each host gets its own at boot
		emptyDir(filepath.Join(root, "var/cache/apt/archives")),
		emptyDir(filepath.Join(root, "var/lib/apt/lists")),
		os.MkdirAll(filepath.Join(root, "usr/share/man/man1"), 0o755), // Java's packages link into it
	)
}

func emptyDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("empty %s: %w", dir, err)
	}
	return os.MkdirAll(filepath.Join(dir, "partial"), 0o755)
}

// putFile writes a file below a root file system in one go: a program that is
// running from the old one keeps it.
func putFile(root, name string, data []byte, mode os.FileMode) error {
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("put file: %w", err)
	}
	next := path + ".lab-new"
	if err := os.WriteFile(next, data, mode); err != nil {
		return fmt.Errorf("put file: %w", err)
	}
	// The umask of whoever typed the command is not the host's.
	if err := errors.Join(os.Chmod(next, mode), os.Rename(next, path)); err != nil {
		return fmt.Errorf("put file: %w", err)
	}
	return nil
}
