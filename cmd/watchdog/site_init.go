package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

//go:embed site.starter.tmpl
var siteStarterText string

// siteStarter is what init fills in.
type siteStarter struct {
	Domain, IDP string
	// Gateway is the short name of the host with Ollama, empty for none.
	Gateway, GatewayAddress string
	// Realm is the domain's first label.
	Realm string
}

func siteInit() *cobra.Command {
	var domain, idp, gateway string
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a starter site file with a comment on every setting",
		Long: `Init writes a starter site file, by default ` + sitePath + `; FILE - is
standard output. A file that is there already is left alone. What the flags do
not say is filled in with examples, to be edited.`,
		Example: `  watchdog site init --domain example.org --idp 2001:db8::1 --gateway homer=2001:db8::2
  watchdog site init -`,
		Args: siteArgs,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := starterText(domain, idp, gateway)
			if err != nil {
				return err
			}
			name := siteArg(args)
			if name == "-" {
				_, err = c.OutOrStdout().Write(text)
				return err
			}
			if err := writeNew(name, text); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.ErrOrStderr(), "wrote %s; edit it, then: watchdog site check%s\n", name, checkArgs(args))
			return err
		},
	}
	c.Flags().StringVar(&domain, "domain", "", "`domain` below which the public names lie")
	c.Flags().StringVar(&idp, "idp", "", "public IPv6 `address` of the host with Keycloak")
	c.Flags().StringVar(&gateway, "gateway", "", "short name and public IPv6 address of the host with Ollama, as `NAME=ADDRESS`")
	return c
}

func checkArgs(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return " --any-owner " + args[0]
}

// starterText fills the template; examples stand in for what is not given.
func starterText(domain, idp, gateway string) ([]byte, error) {
	s := siteStarter{Domain: domain, IDP: idp}
	if domain == "" && idp == "" && gateway == "" {
		gateway = "homer=2001:db8::2"
	}
	if domain == "" {
		s.Domain = "example.org"
	} else if problem := domainProblem(domain); problem != "" {
		return nil, usagef("--domain %s %s", siteQuote(domain), problem)
	}
	if idp == "" {
		s.IDP = "2001:db8::1"
	} else if _, problem := siteAddress(idp); problem != "" {
		return nil, usagef("--idp %s %s", siteQuote(idp), problem)
	}
	if gateway != "" {
		name, address, ok := strings.Cut(gateway, "=")
		if !ok || !siteShortName.MatchString(name) {
			return nil, usagef("--gateway %s is not NAME=ADDRESS with a short host name, as homer=2001:db8::2", siteQuote(gateway))
		}
		if _, problem := siteAddress(address); problem != "" {
			return nil, usagef("--gateway %s %s", siteQuote(address), problem)
		}
		s.Gateway, s.GatewayAddress = name, address
	}
	if s.Realm, _, _ = strings.Cut(s.Domain, "."); s.Realm == "master" {
		s.Realm = "main" // master is Keycloak's own
	}
	return s.render()
}

// render makes the text and proves it: two flags can be right alone and wrong
// together.
func (s siteStarter) render() ([]byte, error) {
	t, err := template.New("site.yaml").Parse(siteStarterText)
	if err != nil {
		return nil, fmt.Errorf("read the starter's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("fill the starter's template: %w", err)
	}
	if _, d := parseSite("the starter file", b.Bytes(), siteBook{}); d.err() != nil {
		return nil, usagef("--domain, --idp and --gateway do not go together: %s", d.problems[0].Message)
	}
	return b.Bytes(), nil
}

// writeNew makes a file that did not exist, whole or not at all.
func writeNew(name string, data []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.CreateTemp(dir, ".site-*.yaml")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// A link, unlike a rename, never takes the place of another file.
	if err := os.Link(f.Name(), name); errors.Is(err, fs.ErrExist) {
		return usagef("%s exists already and is left alone; edit it, or give another name", name)
	} else if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
