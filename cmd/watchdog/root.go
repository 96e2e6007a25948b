package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func rootCommand() *cobra.Command { return rootCommandAt(hostPlaces()) }

// rootCommandAt lists every verb: one small file each.
func rootCommandAt(at places) *cobra.Command {
	root := &cobra.Command{
		Use:   "watchdog",
		Short: "Install, watch and heal an identity stack",
		Long: `watchdog installs, watches and heals one host of an identity stack: Keycloak
with PostgreSQL behind an NGINX TCP passthrough, and the gateways that ask it.

Start with "watchdog site init", then "watchdog plan" and "watchdog install".
When something is wrong: "watchdog diagnose".`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return badUsage(fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help"))
	})
	root.AddCommand(
		siteCommand(),
		planCommand(), installCommand(),
		runCommand(), exportCommand(), statusCommand(at), historyCommand(at), replayCommand(),
		diagnoseCommand(), probeCommand(), explainCommand(at), rulesCommand(),
		healCommand(), approveCommand(at), pauseCommand(), resumeCommand(),
		backupCommand(),
		labCommand(),
		versionCommand(),
	)
	return root
}

// noArgs makes an argument too many a usage error.
func noArgs(c *cobra.Command, args []string) error { return badUsage(cobra.NoArgs(c, args)) }

// badUsage marks err as the command line's fault.
func badUsage(err error) error {
	if err == nil || errors.As(err, new(usageError)) {
		return err
	}
	return usageError{err}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(c.OutOrStdout(), "watchdog", version())
			return nil
		},
	}
}

// version is the module's, and the commit it was built from where known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v += " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "-tags" && slices.Contains(strings.Split(s.Value, ","), "drill"):
			v += " (drill build)" // faults may be made up in it
		}
	}
	return v
}
