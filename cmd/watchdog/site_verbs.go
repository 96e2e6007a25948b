package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// siteSource is the file that a verb is about.
type siteSource struct {
	anyOwner, json bool
}

func (s *siteSource) flags(c *cobra.Command) {
	c.Flags().BoolVar(&s.anyOwner, "any-owner", false, "take a file that others than root may write, as in a checkout")
	c.Flags().BoolVar(&s.json, "json", false, "print one JSON object")
}

// name of the file that the arguments give: a path, "-", or the default.
func siteArg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return sitePath
}

func siteArgs(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%s takes one file, not %d; see: %s --help", c.CommandPath(), len(args), c.CommandPath())
	}
	return nil
}

func (s siteSource) open(c *cobra.Command, args []string) (*siteForm, []byte, error) {
	name := siteArg(args)
	if name != "-" {
		f, data, err := openSite(name, !s.anyOwner)
		if owner := siteOwnerError(""); errors.As(err, &owner) {
			err = siteFileError(name, fmt.Errorf("%w; to look at it all the same: --any-owner", owner))
		}
		return f, data, err
	}
	data, err := readBounded(c.InOrStdin())
	if err != nil {
		return nil, nil, siteFileError("stdin", err)
	}
	f, d := parseSite("stdin", data, bookModes())
	return f, data, d.err()
}

// siteReport is what check prints as JSON.
type siteReport struct {
	Schema   int           `json:"schema"`
	File     string        `json:"file"`
	State    string        `json:"state"` // ok or failing
	Hosts    int           `json:"hosts,omitempty"`
	Realm    string        `json:"realm,omitempty"`
	Gateways int           `json:"gateways,omitempty"`
	Problems []siteProblem `json:"problems"`
}

func siteCheck() *cobra.Command {
	var src siteSource
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a site file: all that is wrong with it, with line and column",
		Long: `Check reads the site file and says all that is wrong with it, each with line,
column and excerpt. FILE - is standard input. It asks no network and no other
host: what the file says may still be wrong about the world.`,
		Example: `  watchdog site check
  watchdog site check --any-owner ./site.yaml`,
		Args: siteArgs,
		RunE: func(c *cobra.Command, args []string) error {
			f, _, err := src.open(c, args)
			if src.json {
				return printSiteReport(c.OutOrStdout(), siteArg(args), f, err)
			}
			if err != nil {
				return tellSite(c, err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "ok: %s, realm %s, %s\n",
				counted(len(f.Hosts), "host"), f.Realm.Name, counted(len(f.Gateways), "gateway"))
			return err
		},
	}
	src.flags(c)
	return c
}

// tellSite prints what is wrong with a site file and nothing else, so that
// editors find their way from it.
func tellSite(c *cobra.Command, err error) error {
	if !errors.As(err, new(siteError)) {
		return err
	}
	fmt.Fprintln(c.ErrOrStderr(), err)
	return exitCode(exitUsage)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func printSiteReport(w io.Writer, name string, f *siteForm, err error) error {
	r := siteReport{Schema: 1, File: name, State: "ok", Problems: []siteProblem{}}
	var bad siteError
	switch {
	case errors.As(err, &bad):
		r.State, r.Problems = "failing", bad.problems
	case err != nil:
		return err
	default:
		r.Hosts, r.Realm, r.Gateways = len(f.Hosts), f.Realm.Name, len(f.Gateways)
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return err
	}
	if r.State != "ok" {
		return exitCode(exitUsage)
	}
	return nil
}

func siteShow() *cobra.Command {
	var src siteSource
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print the site file with every default filled in",
		Args:  siteArgs,
		RunE: func(c *cobra.Command, args []string) error {
			f, _, err := src.open(c, args)
			if err != nil {
				return tellSite(c, err)
			}
			text, err := f.text()
			if err == nil && src.json {
				text, err = siteJSON(text)
			}
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	src.flags(c)
	return c
}

//go:embed site.schema.json
var siteSchemaText []byte

func siteSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the site file, for editors",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(siteSchemaText)
			return err
		},
	}
}
