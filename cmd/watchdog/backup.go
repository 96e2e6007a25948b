package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"watchdog/remedies"
)

func backupCommand() *cobra.Command {
	c := &cobra.Command{Use: "backup", Short: "Make and list backups of the database and the realm"}
	c.AddCommand(backupCreateCommand(), backupListCommand())
	return c
}

func backupCreateCommand() *cobra.Command {
	var site siteFlags
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a backup now, verify it, and forget those past their time",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := site.openAsRoot(c, changesHost)
			if err != nil {
				return err
			}
			unlock, err := m.waitLock(c.Context(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			defer unlock()
			b := m.stack.Backup()
			info, err := b.Create(c.Context(), m.hands, m.host)
			if err != nil {
				return err
			}
			if err := b.Prune(c.Context(), m.hands, m.host); err != nil {
				return err
			}
			printBackup(c, info)
			return nil
		},
	}
	site.add(c)
	return c
}

func backupListCommand() *cobra.Command {
	var (
		site   siteFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the backups, newest first",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := site.open(c.Context())
			if err != nil {
				return err
			}
			all, err := remedies.ListBackups(m.host, m.stack.Backups.Dir)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"schema": 1, "backups": all})
			}
			for _, b := range all {
				printBackup(c, b)
			}
			return nil
		},
	}
	site.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printBackup(c *cobra.Command, b remedies.BackupInfo) {
	verified := "verified"
	switch {
	case b.Corrupt:
		verified = "CORRUPT: " + b.Fault
	case !b.Counts():
		verified = "NOT verified: " + b.Fault
	}
	fmt.Fprintf(c.OutOrStdout(), "%s  %s  %s\n", b.Manifest.Made.Format(time.RFC3339), verified, b.Path)
}
