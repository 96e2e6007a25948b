package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// text is the form as a site file.
func (f *siteForm) text() ([]byte, error) {
	text, err := yaml.MarshalWithOptions(f, yaml.IndentSequence(true), yaml.CustomMarshaler(plainOrQuoted))
	if err != nil {
		return nil, fmt.Errorf("write the site as YAML: %w", err)
	}
	return text, nil
}

var (
	// plainText is sure to be read back as text without quotes: words, URLs,
	// paths and names that begin with a letter or a slash, versions, durations.
	plainText = regexp.MustCompile(`^([A-Za-z]+( [A-Za-z]+)*|[A-Za-z/]([A-Za-z0-9._/:*@-]*[A-Za-z0-9/*])?|[0-9]+(\.[0-9]+){2,}|([0-9]+[dhms])+)$`)
	// otherWords is not: some reader takes it for something else.
	otherWords = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
)

// plainOrQuoted writes one text value. The library's own choice leaves some
// bare that it reads differently ("? -").
func plainOrQuoted(s string) ([]byte, error) {
	if plainText.MatchString(s) && !otherWords.MatchString(s) {
		return []byte(s), nil
	}
	return []byte(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`), nil
}

// siteJSON is a site file as {"schema":1,"site":{…}}.
func siteJSON(text []byte) ([]byte, error) {
	site, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("write the site as JSON: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(`{"schema":1,"site":`+string(site)+`}`), "", "  "); err != nil {
		return nil, fmt.Errorf("write the site as JSON: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
