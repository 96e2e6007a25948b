package lab

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"
)

// Domain is the guide's domain; the lab's zone is all of it.
const Domain = "breathtechnology.co.uk"

// Fixed places of the lab's own services, on the router's loopback.
const (
	nameServer = "fd00:53::53"
	serviceHub = "fd00:53::80"

	router = "rtr"
	client = "client"

	proxyURL = "http://[" + serviceHub + "]:3142"
	acmeName = "acme." + Domain
	acmeURL  = "https://" + acmeName + ":14000/dir"
)

// node is one network namespace behind the router: a booted host, or the client.
type node struct {
	name    string
	address netip.Addr
	boots   bool   // systemd as PID 1; otherwise only a place to run programs of the machine
	role    string // in the site file
	public  string // its name in the zone
}

// nodes are the guide's two hosts and a peer that has nothing to do with them.
var nodes = []node{
	{name: "idp", address: netip.MustParseAddr("2a02:8012:bc57:cafe::babe"), boots: true, role: "keycloak", public: "idp." + Domain},
	{name: "homer", address: netip.MustParseAddr("2a02:8012:bc57:c0d2::babe"), boots: true, role: "ollama", public: "ollama." + Domain},
	{name: client, address: netip.MustParseAddr("2a02:8012:bc57:beef::1")},
}

// Hosts are the names of the hosts a lab boots.
func Hosts() []string {
	var names []string
	for _, n := range bootable() {
		names = append(names, n.name)
	}
	return names
}

func bootable() []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return !n.boots })
}

func findNode(name string) (node, error) {
	i := slices.IndexFunc(nodes, func(n node) bool { return n.name == name })
	if i < 0 {
		var known []string
		for _, n := range nodes {
			known = append(known, n.name)
		}
		return node{}, &Refusal{fmt.Sprintf("name a host of the lab (%s), not %q", strings.Join(known, ", "), name)}
	}
	return nodes[i], nil
}

// namespace is the machine-wide name of a node's network namespace.
func (l *Lab) namespace(node string) string { return l.name + "-" + node }

func (l *Lab) namespaces() []string {
	names := []string{l.namespace(router)}
	for _, n := range nodes {
		names = append(names, l.namespace(n.name))
	}
	return names
}

//go:embed site.yaml.tmpl
var siteText string

var siteTemplate = template.Must(template.New("site.yaml").Parse(siteText))

// Site is the site file that both hosts get.
func Site() []byte {
	type host struct{ Name, Address, Role string }
	data := struct {
		Domain, ACME string
		Hosts        []host
	}{Domain: Domain, ACME: acmeURL}
	for _, n := range bootable() {
		data.Hosts = append(data.Hosts, host{n.name, n.address.String(), n.role})
	}
	var b bytes.Buffer
	if err := siteTemplate.Execute(&b, data); err != nil {
		panic(err) // embedded template, typed data: a test executes it
	}
	return b.Bytes()
}
