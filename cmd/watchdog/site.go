package main

import (
	"net"
	"os"

	"github.com/spf13/cobra"

	"watchdog/rules"
)

var siteVerbs = []string{"init", "check", "show", "schema"}

// siteCommand holds the verbs about the site file.
func siteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "site",
		Short: "Write, check and show the site file",
		Long: `The site file describes the whole site, and is the same on all of its hosts:
` + sitePath + `. A domain and two hosts are enough; "site show" prints all
that may be set, with its value.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("%s has no verb %s; %s", c.CommandPath(), siteQuote(args[0]), siteMeant(args[0], siteVerbs))
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(siteInit(), siteCheck(), siteShow(), siteSchema())
	return c
}

// loadSite reads the site file for a verb that acts on it, as seen from the
// host self. An empty path is the default one; an empty self is found out. The
// file is refused unless root alone could have written it. Errors are whole
// texts of type usageError.
func loadSite(path, self string) (rules.Stack, error) {
	return loadSiteAs(path, self, true)
}

// loadAnySite is loadSite for verbs that only look: a file that the command
// line names may be anybody's, the default one may not.
func loadAnySite(path, self string) (rules.Stack, error) {
	return loadSiteAs(path, self, path == "" || path == sitePath)
}

func loadSiteAs(path, self string, strict bool) (rules.Stack, error) {
	if path == "" {
		path = sitePath
	}
	f, data, err := openSite(path, strict)
	if err != nil {
		return rules.Stack{}, err
	}
	s := f.stack(data)
	if self == "" {
		m := siteMachine{addresses: net.InterfaceAddrs, hostname: os.Hostname}
		if self, err = m.self(s); err != nil {
			return rules.Stack{}, usagef("%s: %s", path, err)
		}
	}
	if err := f.standOn(&s, self); err != nil {
		return rules.Stack{}, usagef("%s: %s", path, err)
	}
	return s, nil
}
