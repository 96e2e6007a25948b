package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"watchdog/packaging/lab"
)

// labCommand rehearses a site on this machine, on real hosts with real parts.
func labCommand() *cobra.Command {
	var o lab.Options
	c := &cobra.Command{
		Use:   "lab",
		Short: "Rehearse a site on this machine, on real hosts with real parts",
		Long: `Lab boots the guide's hosts on this one machine: Debian with systemd in network
namespaces of their own, with the guide's IPv6 addresses, a zone without A
records, an ACME server and the machine's own package registry.

It needs root, and leaves nothing but a cache after "lab down".`,
	}
	c.PersistentFlags().StringVar(&o.Name, "name", lab.DefaultName, "which lab; a second name stands beside the first")
	c.PersistentFlags().StringVar(&o.Cache, "cache", "", "directory that outlives labs (default $WATCHDOG_LAB_CACHE or "+lab.DefaultCache+")")
	c.AddCommand(labUp(&o), labDown(&o), labStatus(&o), labExec(&o), labTour(&o), labDrill(&o), labCrash(&o), labNet(&o), labDNS(&o), labServe(&o))
	return c
}

// openLab checks the machine before a verb does anything.
func openLab(cmd *cobra.Command, o *lab.Options) (*lab.Lab, error) {
	o.Command = cmd.CommandPath()[len(cmd.Root().Name())+1:]
	o.Log, o.Output = cmd.ErrOrStderr(), cmd.OutOrStdout()
	return lab.New(*o)
}

// withLab is the RunE of a verb that does something to a lab; what a lab refuses
// is an error of usage.
func withLab(o *lab.Options, do func(cmd *cobra.Command, l *lab.Lab, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		l, err := openLab(cmd, o)
		if err == nil {
			err = do(cmd, l, args)
		}
		if errors.As(err, new(*lab.Refusal)) {
			return badUsage(err)
		}
		return err
	}
}

// labArgs makes a wrong number of arguments a usage error.
func labArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return badUsage(check(cmd, args)) }
}

func labUp(o *lab.Options) *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Boot idp and homer, and install the site's identity host in idp",
		Example: `  sudo watchdog lab up
  sudo watchdog lab up --no-install --name second`,
		Args: noArgs,
		RunE: withLab(o, func(cmd *cobra.Command, l *lab.Lab, _ []string) error { return l.Up(cmd.Context()) }),
	}
	c.Flags().BoolVar(&o.NoInstall, "no-install", false, "stop before watchdog install")
	c.Flags().BoolVar(&o.Disk, "disk", false, "keep the hosts on disk even where memory would do")
	c.Flags().StringVar(&o.Binary, "binary", "", "the watchdog program put into the hosts (default: this one)")
	return c
}

func labDown(o *lab.Options) *cobra.Command {
	var purge bool
	c := &cobra.Command{
		Use:   "down",
		Short: "End the lab and remove every trace of it but the cache",
		Args:  noArgs,
		RunE:  withLab(o, func(cmd *cobra.Command, l *lab.Lab, _ []string) error { return l.Down(cmd.Context(), purge) }),
	}
	c.Flags().BoolVar(&purge, "purge", false, "remove the cache too")
	return c
}

func labStatus(o *lab.Options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the hosts, their addresses and what runs",
		Args:  noArgs,
		RunE: withLab(o, func(cmd *cobra.Command, l *lab.Lab, _ []string) error {
			s, err := l.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			}
			return printLab(cmd, s)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printLab(cmd *cobra.Command, s lab.Status) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "lab %s\t%s\t%s\n", s.Name, s.State, s.Age)
	for _, h := range s.Hosts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d processes\t%s\n", h.Name, h.State, h.Address, h.Processes, h.Age)
	}
	if s.State == "up" {
		fmt.Fprintf(w, "names and packages\t%s\t%s\n", running(s.Server.Running), s.Server.Address)
		fmt.Fprintf(w, "ACME\t%s\t%s\n", running(s.ACME.Running), s.ACME.Address)
	}
	return w.Flush()
}

func running(is bool) string {
	if is {
		return "running"
	}
	return "off"
}

func labExec(o *lab.Options) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARG]...",
		Short: "Run a command in a host, or a program of this machine as the client",
		Example: `  sudo watchdog lab exec idp -- watchdog diagnose
  sudo watchdog lab exec client -- curl -sv https://idp.breathtechnology.co.uk/`,
		Args: labArgs(cobra.MinimumNArgs(2)),
		RunE: withLab(o, func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			ctx := cmd.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("stopped after %s (--timeout)", timeout))
				defer cancel()
			}
			code, err := l.Exec(ctx, args[0], args[1:], cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err == nil && code != 0 {
				return exitCode(code)
			}
			return err
		}),
	}
	c.Flags().DurationVar(&timeout, "timeout", 0, "end the command after this long (default: never)")
	return c
}

func labNet(o *lab.Options) *cobra.Command {
	var port int
	c := &cobra.Command{Use: "net", Short: "Break the network between the hosts, and mend it"}
	verb := func(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, l *lab.Lab, host string) error) *cobra.Command {
		v := &cobra.Command{Use: use, Short: short, Args: labArgs(args), RunE: withLab(o, func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			return do(cmd.Context(), l, append(args, "")[0])
		})}
		c.AddCommand(v)
		return v
	}
	cut := verb("cut HOST", "Let the router silently drop all that goes to or comes from a host", cobra.ExactArgs(1),
		func(ctx context.Context, l *lab.Lab, host string) error { return l.Cut(ctx, host, port) })
	cut.Flags().IntVar(&port, "port", 0, "only what goes to this port, of the host or asked for by the host")
	verb("join [HOST]", "End every cut, or those of one host", cobra.MaximumNArgs(1),
		func(ctx context.Context, l *lab.Lab, host string) error { return l.Join(ctx, host) })
	verb("pull HOST", "Pull a host's cable: it sees no carrier", cobra.ExactArgs(1),
		func(_ context.Context, l *lab.Lab, host string) error { return l.Pull(host) })
	verb("plug HOST", "Put the cable back", cobra.ExactArgs(1),
		func(_ context.Context, l *lab.Lab, host string) error { return l.Plug(host) })
	verb("claim HOST", "Let another machine of a host's link have its address", cobra.ExactArgs(1),
		func(_ context.Context, l *lab.Lab, host string) error { return l.Claim(host) })
	verb("yield HOST", "Take the address from that machine again", cobra.ExactArgs(1),
		func(_ context.Context, l *lab.Lab, host string) error { return l.Yield(host) })
	return c
}

func labDNS(o *lab.Options) *cobra.Command {
	c := &cobra.Command{Use: "dns", Short: "Change what the lab's name server answers"}
	edit := func(use, short string, args cobra.PositionalArgs, f func(z *lab.Zone, args []string) error) {
		c.AddCommand(&cobra.Command{Use: use, Short: short, Args: labArgs(args), RunE: withLab(o, func(_ *cobra.Command, l *lab.Lab, args []string) error {
			return l.EditZone(func(z *lab.Zone) error { return f(z, args) })
		})})
	}
	edit("set NAME TYPE VALUE...", "Replace the records of a name and type", cobra.MinimumNArgs(3),
		func(z *lab.Zone, args []string) error { return z.Set(args[0], args[1], args[2:]) })
	edit("unset NAME [TYPE]", "Forget a name, or one type of it", cobra.RangeArgs(1, 2),
		func(z *lab.Zone, args []string) error { z.Unset(args[0], append(args, "")[1]); return nil })
	edit("mode normal|servfail|timeout", "Answer, answer with SERVFAIL, or do not answer",
		cobra.MatchAll(cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error { return lab.CheckDNSMode(args[0]) }),
		func(z *lab.Zone, args []string) error { z.Mode = args[0]; return nil })
	return c
}

// labServe is the lab's process in the background; `lab up` starts it.
func labServe(o *lab.Options) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return lab.Serve(cmd.Context(), *o) },
	}
}
