package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"watchdog/probes/host"
	"watchdog/rules"
	"watchdog/rules/ledger"
)

const (
	// holdPath is the kill switch: while it exists, nothing is changed.
	holdPath = "/etc/watchdog/hold"
	// pausePath is a pause, which ends by itself.
	pausePath = ledger.Dir + "/pause.json"
	// resumedPath says by its time when a person last said that it may go on.
	resumedPath = ledger.Dir + "/resumed"
	// approvedFile, in the state directory, holds what persons approved.
	approvedFile = "approved.json"
)

// policy is what the site and the people at work allow right now.
func (m *machine) policy() rules.Policy {
	approved, err := readApproved(filepath.Join(ledger.Dir, approvedFile), m.host.Now())
	if err != nil && m.complain != nil {
		m.complain(err)
	}
	return rules.Policy{
		Mode: m.stack.Mode, Modes: m.stack.Modes, Resumed: resumed(), Approved: approved,
		Hold:      cmp.Or(held(m.host.Now()), host.PackageManagerAtWork(m.host.Facts.Packages)),
		Forgetful: m.forgetful(),
	}
}

// forgetful says why nothing can be written down, or nothing.
func (m *machine) forgetful() string {
	why, err := host.StateUnwritable(m.host.FS, ledger.Dir)
	if err != nil {
		why = err.Error()
	}
	if why == "" {
		return ""
	}
	return "nothing can be written down in " + ledger.Dir + ": " + why
}

// held says why nothing may be changed, or nothing. A hold that can't be read
// holds.
func held(now time.Time) string {
	if _, err := os.Lstat(holdPath); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("held by %s, until a person removes it", holdPath)
	}
	p, err := readPause()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return fmt.Sprintf("the pause in %s cannot be read (%v); watchdog resume removes it", pausePath, err)
	case now.After(p.Until):
		return ""
	}
	return fmt.Sprintf("paused until %s: %s", p.Until.Format(time.TimeOnly), p.Reason)
}

// A pauseFile is one pause.
type pauseFile struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

func readPause() (pauseFile, error) {
	var p pauseFile
	data, err := os.ReadFile(pausePath)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

// resumed is when a person last said that it may go on, zero for never.
func resumed() time.Time {
	if fi, err := os.Lstat(resumedPath); err == nil {
		return fi.ModTime()
	}
	return time.Time{}
}

func pauseCommand() *cobra.Command {
	var (
		length time.Duration
		reason string
	)
	c := &cobra.Command{
		Use:   "pause --for DURATION --reason TEXT",
		Short: "Change nothing for a while; looking goes on",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot(c); err != nil {
				return err
			}
			if length <= 0 || reason == "" {
				return badUsage(errors.New("say how long and why: watchdog pause --for 30m --reason \"moving the database\""))
			}
			until := time.Now().Add(length).Truncate(time.Second)
			data, err := json.Marshal(pauseFile{Until: until, Reason: reason})
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(pausePath), 0o700); err != nil {
				return fmt.Errorf("pause: %w", err)
			}
			if err := renameio.WriteFile(pausePath, data, 0o600); err != nil {
				return fmt.Errorf("pause: %w", err)
			}
			fmt.Fprintf(c.OutOrStdout(), "paused until %s; watchdog resume ends it before\n", until.Format(time.DateTime))
			return nil
		},
	}
	c.Flags().DurationVar(&length, "for", 0, "how long, as 30m")
	c.Flags().StringVar(&reason, "reason", "", "why, for those who find it paused")
	return c
}

func resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "End a pause, and let it try again what it gave up",
		Long: `End a pause, and give back the budgets that were spent: what watchdog gave up it
tries again. For a person who has looked, and mended what it could not.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot(c); err != nil {
				return err
			}
			switch err := os.Remove(pausePath); {
			case errors.Is(err, fs.ErrNotExist):
				fmt.Fprintln(c.OutOrStdout(), "there was no pause; budgets begin anew")
			case err != nil:
				return fmt.Errorf("resume: %w", err)
			default:
				fmt.Fprintln(c.OutOrStdout(), "resumed; budgets begin anew")
			}
			if err := renameio.WriteFile(resumedPath, nil, 0o600); err != nil {
				return fmt.Errorf("resume: %w", err)
			}
			return nil
		},
	}
}
