package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Up brings the lab up, whatever is left of an earlier one: what is missing is
// installed and fetched, the hosts are booted and equipped, and `watchdog install`
// is run in idp unless Options say not to. A lab that is up stays as it is, but
// for a host that is off and a program that was built anew.
func (l *Lab) Up(ctx context.Context) error {
	if err := mayRun(siteFile); err != nil {
		return err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.up(ctx); err != nil {
		if ctx.Err() == nil {
			return fmt.Errorf("%w\nwhat is there of lab %s stays for a look; the next `lab up` begins anew, `lab down` removes it", err, l.name)
		}
		// Ctrl-C: leave nothing half done behind.
		l.say.line("interrupted: removing what is there")
		cause := context.Cause(ctx)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, cleaned := l.clean(ctx)
		return errors.Join(fmt.Errorf("bring lab %s up: %w", l.name, cause), cleaned)
	}
	if l.noInstall {
		return nil
	}
	return l.install(ctx)
}

func (l *Lab) up(ctx context.Context) error {
	if l.alive() && l.complete() {
		if err := l.revive(ctx); err != nil {
			return err
		}
		l.say.line("lab %s is already up", l.name)
	} else if err := l.standUp(ctx); err != nil {
		return err
	}
	if err := l.awaitHosts(ctx); err != nil {
		return err
	}
	if err := l.equip(ctx); err != nil {
		return err
	}
	l.say.line("lab %s is up; look around: %s idp -- bash", l.name, l.typed("lab exec"))
	return nil
}

// complete tells whether the network of a running lab is whole.
func (l *Lab) complete() bool {
	for _, name := range l.namespaces() {
		if _, err := os.Stat(netnsDir + "/" + name); err != nil {
			return false
		}
	}
	_, err := os.Stat(l.state("serve.ready"))
	return err == nil
}

// revive lets the background process start what has ended, and waits for the
// ACME server's root.
func (l *Lab) revive(ctx context.Context) error {
	pid, err := l.serverPID()
	if err != nil {
		return fmt.Errorf("find the lab's server: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("signal the lab's server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// A server that starts pebble again removes the old root first.
	if err := pause(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	return until(ctx, 20*time.Millisecond, func() (bool, error) {
		_, err := os.Stat(l.state("acme", "issued-root.pem"))
		return err == nil, nil
	})
}

// standUp makes a lab from nothing but the cache.
func (l *Lab) standUp(ctx context.Context) error {
	removed, err := l.clean(ctx)
	if err != nil {
		return fmt.Errorf("clean up after an earlier lab: %w", err)
	}
	if len(removed) > 0 {
		l.say.line("removed what an earlier lab %s left: %s", l.name, summary(removed))
	}
	if err := l.fetchAll(ctx); err != nil {
		return err
	}
	if err := l.buildNetwork(); err != nil {
		return err
	}
	if err := l.makeState(); err != nil {
		return err
	}
	if err := l.prepareACME(); err != nil {
		return err
	}
	l.say.line("network, names and root file systems are there; booting")
	return l.startServer(ctx)
}

// fetchAll makes the slow parts, side by side where one does not need another.
func (l *Lab) fetchAll(ctx context.Context) error {
	for _, d := range []string{"rootfs", "bin", "layers", "proxy"} {
		if err := os.MkdirAll(l.cached(d), 0o755); err != nil {
			return fmt.Errorf("make cache directory: %w", err)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := l.installTools(ctx); err != nil {
			return err
		}
		return l.makeBare(ctx)
	})
	g.Go(func() error { return l.fetchPebble(ctx) })
	g.Go(func() error { return l.fetchKeycloak(ctx) })
	return g.Wait()
}

// install does in idp what a user does there.
func (l *Lab) install(ctx context.Context) error {
	l.say.line("idp: watchdog install")
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	code, err := l.Exec(ctx, "idp", []string{"watchdog", "install"}, nil, l.output, l.output)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("run `watchdog install` in idp: exit code %d; to go on: %s idp -- watchdog install", code, l.typed("lab exec"))
	}
	l.say.line("idp: installed in %.1f s", time.Since(began).Seconds())
	return nil
}
