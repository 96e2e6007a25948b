package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	aptDir        = "/etc/apt"
	defaultMirror = "http://deb.debian.org/debian"
)

// source is one package source of the machine.
type source struct {
	uri        *url.URL
	suites     []string
	components []string
}

// machineSources reads the binary package sources that apt on this machine uses,
// in both of its formats.
func machineSources(dir string) ([]source, error) {
	names, err := filepath.Glob(filepath.Join(dir, "sources.list.d", "*"))
	if err != nil {
		return nil, err
	}
	var found []source
	for _, name := range append([]string{filepath.Join(dir, "sources.list")}, names...) {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		switch filepath.Ext(name) {
		case ".list":
			found = append(found, parseOneLine(string(data))...)
		case ".sources":
			found = append(found, parseStanzas(string(data))...)
		}
	}
	return found, nil
}

var oneLine = regexp.MustCompile(`(?m)^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:[ \t]+[^\s#]+)*)`)

func parseOneLine(text string) []source {
	var found []source
	for _, m := range oneLine.FindAllStringSubmatch(text, -1) {
		found = append(found, sources([]string{m[1]}, []string{m[2]}, strings.Fields(m[3]))...)
	}
	return found
}

func parseStanzas(text string) []source {
	var found []source
	for stanza := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		fields := map[string][]string{}
		last := ""
		for line := range strings.SplitSeq(stanza, "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				fields[last] = append(fields[last], strings.Fields(line)...)
				continue
			}
			key, value, ok := strings.Cut(line, ":")
			if ok {
				last = strings.ToLower(strings.TrimSpace(key))
				fields[last] = strings.Fields(value)
			}
		}
		if slices.Contains(fields["types"], "deb") && !slices.Contains(fields["enabled"], "no") {
			found = append(found, sources(fields["uris"], fields["suites"], fields["components"])...)
		}
	}
	return found
}

// sources keeps what a proxy for HTTP can fetch.
func sources(uris, suites, components []string) []source {
	var found []source
	for _, text := range uris {
		u, err := url.Parse(text)
		if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			found = append(found, source{uri: u, suites: suites, components: components})
		}
	}
	return found
}

// allowedHosts are the hosts that the package proxy connects to, with the scheme
// that the machine itself uses for them.
func allowedHosts(dir string) (map[string]string, error) {
	list, err := machineSources(dir)
	if err != nil {
		return nil, err
	}
	allowed := map[string]string{}
	for _, s := range list {
		allowed[s.uri.Host] = s.uri.Scheme
	}
	if len(debianOnly(list)) == 0 {
		allowed["deb.debian.org"] = "http"
	}
	return allowed, nil
}

// debianOnly are the sources of the release that the hosts run, with no other
// vendor's packages among them.
func debianOnly(list []source) []source {
	return slices.DeleteFunc(slices.Clone(list), func(s source) bool {
		return !slices.ContainsFunc(s.suites, func(x string) bool { return x == suite || strings.HasPrefix(x, suite+"-") })
	})
}

// hostSources is the hosts' own list: the machine's, through plain HTTP because
// the proxy ends it (packages are signed).
func hostSources(dir string) ([]byte, error) {
	list, err := machineSources(dir)
	if err != nil {
		return nil, err
	}
	list = debianOnly(list)
	if len(list) == 0 {
		u, _ := url.Parse(defaultMirror)
		security, _ := url.Parse(defaultMirror + "-security")
		list = []source{
			{u, []string{suite, suite + "-updates"}, []string{"main"}},
			{security, []string{suite + "-security"}, []string{"main"}},
		}
	}
	var b strings.Builder
	for _, s := range list {
		u := *s.uri
		u.Scheme = "http"
		fmt.Fprintf(&b, "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n",
			&u, strings.Join(s.suites, " "), strings.Join(s.components, " "))
	}
	return []byte(b.String()), nil
}

// mirror is where debootstrap fetches from.
func mirror() string {
	list, err := machineSources(aptDir)
	if err != nil {
		return defaultMirror
	}
	for _, s := range list {
		if slices.Contains(s.suites, suite) {
			return s.uri.String()
		}
	}
	return defaultMirror
}

// machineAptOptions are settings that the registry this machine uses makes
// necessary (a snapshot's lists are past their date), for the hosts too.
func machineAptOptions() []byte {
	out, err := exec.Command("apt-config", "dump", "Acquire::Check-Valid-Until", "Acquire::Check-Date").Output()
	if err != nil {
		return nil
	}
	return out
}

// machineAptProxy is the proxy that apt itself is told to use here, if any.
func machineAptProxy() *url.URL {
	out, err := exec.Command("apt-config", "shell", "p", "Acquire::http::Proxy").Output()
	if err != nil {
		return nil
	}
	text := strings.Trim(strings.TrimPrefix(strings.TrimSpace(string(out)), "p="), "'")
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u
	}
	return nil
}
