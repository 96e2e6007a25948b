package main

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"watchdog/rules"
)

// standInDomain takes the place of a domain that is missing or wrong, so that
// the names made from it are not reported one by one.
const standInDomain = "site.invalid"

// parseSite reads a site file and fills in what it leaves open. The form is
// good only when the document has no problems.
func parseSite(name string, data []byte, book siteBook) (*siteForm, *siteDoc) {
	// What Windows adds goes first: the YAML library counts some of its line ends twice.
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\uFEFF")), []byte("\r\n"), []byte("\n"))
	d, f := newSiteDoc(name, data), &siteForm{}
	root := d.parse(data)
	if root == nil {
		return f, d
	}
	d.decode(root, reflect.ValueOf(f).Elem(), "")
	if d.broken[""] {
		return f, d
	}
	if f.Domain == "" {
		d.fail("domain", "domain is missing")
	}
	d.check("domain", f.Domain, domainProblem)
	if !d.clean("domain") {
		f.Domain = standInDomain
	}
	f.fill(d)
	f.checkHosts(d)
	f.checkNames(d)
	f.checkServices(d)
	f.checkBackups(d)
	f.checkRealm(d)
	f.checkClients(d)
	f.checkGateways(d)
	f.checkEdges(d)
	f.checkPorts(d)
	f.checkModes(d, book)
	return f, d
}

// check reports what judge says of the value at path. Values that the file does
// not give are the defaults and need no judging.
func (d *siteDoc) check(path, value string, judge func(string) string) {
	if !d.set(path) {
		return
	}
	if problem := judge(value); problem != "" {
		d.fail(path, "%s %s %s", siteSubject(path), siteQuote(value), problem)
	}
}

// siteSubject names the value at path in a message; an item of a list goes by
// the list's name.
func siteSubject(path string) string {
	leaf := siteLeaf(path)
	if _, err := strconv.Atoi(leaf); err == nil {
		return strings.TrimSuffix(siteLeaf(siteParent(path)), "s")
	}
	return leaf
}

func (f *siteForm) checkHosts(d *siteDoc) {
	if len(f.Hosts) == 0 {
		what := "is missing"
		if d.set("hosts") {
			what = "names no host"
		}
		d.fail("hosts", "hosts %s; give each host its address and roles", what)
		return
	}
	for _, h := range f.Hosts {
		at := "hosts/" + h.Key
		if !siteShortName.MatchString(h.Key) || h.Key == "localhost" {
			d.fail(at, "host %s is not a short host name: a-z first, then a-z, 0-9 and inner hyphens", siteQuote(h.Key))
			continue
		}
		f.checkHost(d, at, h.Value)
	}
	f.checkAddresses(d)
	f.checkIssuer(d)
}

func (f *siteForm) checkHost(d *siteDoc, at string, h siteHost) {
	if h.Address == "" {
		d.fail(at+"/address", "host %s has no address", siteLeaf(at))
	}
	d.check(at+"/address", h.Address, func(s string) string { _, p := siteAddress(s); return p })
	d.check(at+"/fqdn", h.FQDN, domainProblem)
	d.check(at+"/interface", h.Interface, siteMatches(siteIfName, "is not the name of a network interface"))
	d.check(at+"/gateway", h.Gateway, func(s string) string {
		_, problem := siteRouter(s)
		if problem == "" && s == h.Address {
			return "is the host itself"
		}
		return problem
	})
	if d.set(at+"/prefix") && (h.Prefix < 1 || h.Prefix > 128) {
		d.fail(at+"/prefix", "prefix %d is not between 1 and 128", h.Prefix)
	}
	if len(h.Roles) == 0 {
		d.fail(at+"/roles", "host %s has no roles", siteLeaf(at))
	}
	for i, r := range h.Roles {
		p := at + "/roles/" + strconv.Itoa(i)
		switch {
		case !slices.Contains(siteRoles, string(r)):
			d.fail(p, "unknown role %s; %s", siteQuote(string(r)), siteMeant(string(r), siteRoles))
		case slices.Contains(h.Roles[:i], r):
			d.fail(p, "role %q stands here twice", r)
		case r != rules.RoleKeycloak && slices.Contains(h.Roles, rules.RoleKeycloak):
			d.fail(at+"/roles", "host %s is keycloak and %s at once; both own port 443, so they need a host each", siteLeaf(at), r)
		}
	}
}

var siteRoles = []string{string(rules.RoleKeycloak), string(rules.RoleOllama), string(rules.RoleGateway)}

// siteMeant offers the nearest of the known words, or all of them.
func siteMeant(word string, known []string) string {
	if near := siteNearest(word, known); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return "known are " + strings.Join(known, ", ")
}

func (f *siteForm) checkAddresses(d *siteDoc) {
	owners := map[netip.Addr]string{}
	for _, h := range f.Hosts {
		a, problem := siteAddress(h.Value.Address)
		if problem != "" {
			continue
		}
		if other, ok := owners[a]; ok {
			d.fail("hosts/"+h.Key+"/address", "address %q is the address of host %s too", a, other)
			continue
		}
		owners[a] = h.Key
	}
}

// checkIssuer wants exactly one identity provider; it holds its peace while
// roles are wrong anyway.
func (f *siteForm) checkIssuer(d *siteDoc) {
	var issuers []string
	for _, h := range f.Hosts {
		if slices.Contains(h.Value.Roles, rules.RoleKeycloak) {
			issuers = append(issuers, h.Key)
		}
		if len(h.Value.Roles) == 0 || !d.clean("hosts/"+h.Key+"/roles") {
			return
		}
	}
	switch {
	case len(issuers) == 0:
		d.fail("hosts", "no host has the role keycloak")
	case len(issuers) > 1:
		d.fail("hosts/"+issuers[1]+"/roles", "host %s is keycloak, and so is %s; a site has one", issuers[1], issuers[0])
	}
}

// siteName is a public name and whose it is: a host's, or a gateway's on a host.
type siteName struct {
	fqdn, host, gateway, path string
}

func (n siteName) owner() string {
	if n.gateway != "" {
		return "gateway " + n.gateway
	}
	return "host " + n.host
}

// names lists the public names, defaults first: a name that the file gives is
// to blame rather than one of those.
func (f *siteForm) names(d *siteDoc) []siteName {
	var all []siteName
	for _, h := range f.Hosts {
		all = append(all, siteName{fqdn: h.Value.FQDN, host: h.Key, path: "hosts/" + h.Key + "/fqdn"})
	}
	named := map[string]bool{}
	for i, g := range f.Gateways {
		path := "gateways/" + strconv.Itoa(i) + "/fqdn"
		if d.set(path) || g.Name != "" && !named[g.Name] {
			all = append(all, siteName{g.FQDN, g.Host, g.Name, path})
		}
		named[g.Name] = true
	}
	slices.SortStableFunc(all, func(a, b siteName) int {
		switch given := d.set(a.path); {
		case given == d.set(b.path):
			return 0
		case given:
			return 1
		}
		return -1
	})
	return all
}

// checkNames wants each public name for one thing; a gateway may go by the name
// of its host.
func (f *siteForm) checkNames(d *siteDoc) {
	owners := map[string]siteName{}
	for _, n := range f.names(d) {
		if len(n.fqdn) > 253 {
			d.fail(n.path, "public name %s is longer than the 253 characters of a DNS name", siteQuote(n.fqdn))
		}
		other, ok := owners[n.fqdn]
		switch {
		case !ok:
			owners[n.fqdn] = n
		case n.fqdn == "" || n.host == other.host && (n.gateway == "") != (other.gateway == ""):
		case !d.set(n.path) && !d.clean("hosts"): // follows from what is wrong with the hosts
		default:
			d.fail(n.path, "public name %s is that of %s already", siteQuote(n.fqdn), other.owner())
		}
	}
}
