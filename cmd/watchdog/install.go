package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"watchdog/probes/host"
	"watchdog/remedies"
	"watchdog/rules"
)

func installCommand() *cobra.Command {
	var site siteFlags
	c := &cobra.Command{
		Use:   "install",
		Short: "Make this host what the site file says",
		Long: `Make this host what the site file says: every part in order, each planned,
applied and, where it can be undone, put back if it fails. What is right already
is left alone, so a second install changes nothing, and one that was interrupted
is finished by the next. It ends with a look at everything, as diagnose does.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := site.openAsRoot(c, changesHost)
			if err != nil {
				return err
			}
			return m.install(c.Context(), c.ErrOrStderr(), c.OutOrStdout())
		},
	}
	site.add(c)
	return c
}

// parts lists the remedies of the host in order. A secret that others may read
// is refused before anything is touched: somebody may have it, and what it
// opens has to be changed, not set up.
func (m *machine) parts() ([]remedies.Remedy, error) {
	names, err := m.host.FS.ReadDir(host.SecretDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	for _, name := range names {
		if _, err := m.host.Secret(name); err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, usageError{err}
		}
	}
	list, err := rules.Remedies(m.stack)
	if err != nil {
		return nil, usageError{err}
	}
	return list, nil
}

// install applies every remedy of the host in order.
func (m *machine) install(ctx context.Context, progress, out io.Writer) error {
	list, err := m.parts()
	if err != nil {
		return err
	}
	unlock, err := m.waitLock(ctx, progress)
	if err != nil {
		return err
	}
	defer unlock()
	start, changed := time.Now(), 0
	for i, r := range list {
		did, err := m.installOne(ctx, fmt.Sprintf("%2d/%d", i+1, len(list)), r, progress)
		if err != nil {
			return fmt.Errorf("install stopped at step %d of %d, %s: %w\nwhat was done so far stays and works; run \"watchdog install\" again to go on", i+1, len(list), r.Spec().ID, err)
		}
		if did {
			changed++
		}
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	if changed == 0 {
		fmt.Fprintf(out, "nothing to do: all %d parts are as they should be (%s)\n", len(list), took)
	} else {
		fmt.Fprintf(out, "installed: %d parts changed, %d were right already (%s)\n", changed, len(list)-changed, took)
	}
	return m.prove(ctx, out)
}

func (m *machine) installOne(ctx context.Context, place string, r remedies.Remedy, progress io.Writer) (changed bool, err error) {
	spec := r.Spec()
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout)
	defer cancel()
	plan, err := m.journal.Plan(ctx, r, m.host)
	if err != nil {
		return false, err
	}
	if plan.Empty() && !m.journal.Left(spec.ID) {
		fmt.Fprintf(progress, "%s  %-22s ok\n", place, spec.ID)
		return false, nil
	}
	fmt.Fprintf(progress, "%s  %-22s %s\n", place, spec.ID, spec.Summary)
	if err := m.journal.Apply(ctx, plan, m.hands, m.host, &printer{w: progress}); err != nil {
		return true, err
	}
	if len(plan.Steps) > 0 { // packages change what the host is made of
		if m.host.Facts, err = host.ReadFacts(m.host.FS); err != nil {
			return true, fmt.Errorf("look at this host again: %w", err)
		}
	}
	return true, nil
}

// lockTime is how long install waits for a remedy that is at work.
const lockTime = 3 * time.Minute

func (m *machine) waitLock(ctx context.Context, progress io.Writer) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	var unlock func()
	said := false
	var broken error
	err := remedies.Await(ctx, func(context.Context) (err error) {
		unlock, err = lock()
		switch {
		case errors.Is(err, errLocked) && !said:
			said = true
			fmt.Fprintln(progress, "waiting: "+errLocked.Error())
		case err != nil && !errors.Is(err, errLocked):
			broken = err
			return nil // waiting does not mend it
		}
		return err
	})
	return unlock, errors.Join(err, broken)
}

// proveTime is how long what was just installed may take to answer.
const proveTime = 30 * time.Second

// prove looks at everything until it is well, or it has had time enough.
func (m *machine) prove(ctx context.Context, out io.Writer) error {
	deadline := time.Now().Add(proveTime)
	for {
		rep := m.diagnose(ctx, m.probes)
		if rep.State == stateOK || time.Now().After(deadline) || ctx.Err() != nil {
			rep.print(out)
			return rep.exit()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// printer shows each thing a plan does with the time it took.
type printer struct {
	w     io.Writer
	start time.Time
}

func (p *printer) Begin(what string) error {
	p.start = time.Now()
	fmt.Fprintf(p.w, "         %s …", what)
	return nil
}

func (p *printer) End(_ string, err error) {
	if err != nil {
		fmt.Fprintln(p.w, " did not work")
		return
	}
	if took := time.Since(p.start); took >= time.Second {
		fmt.Fprintf(p.w, " %.1f s", took.Seconds())
	}
	fmt.Fprintln(p.w)
}
