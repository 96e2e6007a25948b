package main

import (
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// The functions of this file judge one value each. They return what is wrong
// with it, worded to follow the quoted value, or nothing.

var (
	siteShortName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	siteDNSLabel  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	siteDigits    = regexp.MustCompile(`^[0-9]+$`)
	siteUnixName  = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	siteSQLName   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	siteWord      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	siteUserName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
	siteIfName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)
	siteVersion   = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(\.[A-Za-z0-9]+)?$`)
	siteHeap      = regexp.MustCompile(`^[1-9][0-9]{0,6}[kKmMgG]$`)
	siteHex       = regexp.MustCompile(`^[0-9a-f]{64}$`)
	siteClock     = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	siteDirText   = regexp.MustCompile(`^/[A-Za-z0-9._/-]+$`)
	siteURLText   = regexp.MustCompile(`^[A-Za-z0-9._~:/?&=%\[\]+*-]+$`)
)

// domainProblem judges a public DNS name.
func domainProblem(s string) string {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	switch {
	case err == nil:
		return "is an address; write a domain name"
	case strings.Contains(s, "://") || strings.Contains(s, "/"):
		return "is a URL; write the name alone"
	case strings.Contains(s, "*"):
		return "is a wildcard; write the domain itself"
	case strings.HasSuffix(s, "."):
		return "ends in a dot; leave the dot out"
	case !strings.Contains(s, "."):
		return "is a single label; a public name has a dot in it, as example.org"
	case s != strings.ToLower(s):
		return "has capital letters; names are compared byte by byte, so write it in small ones"
	case len(s) > 253:
		return "is longer than the 253 characters of a DNS name"
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		switch {
		case l == "":
			return "has an empty label between its dots"
		case len(l) > 63:
			return "has a label of more than 63 characters"
		case !siteDNSLabel.MatchString(l):
			return "is not a DNS name: label " + siteQuote(l) + " may hold a-z, 0-9 and inner hyphens only (other alphabets as xn--…)"
		}
	}
	if siteDigits.MatchString(labels[len(labels)-1]) {
		return "is not a DNS name: its last label is a number"
	}
	return ""
}

// siteAddress reads a host's public address.
func siteAddress(s string) (netip.Addr, string) {
	a, problem := siteRouter(s)
	if problem == "" && a.IsLinkLocalUnicast() {
		return a, "is link-local; other machines cannot reach it"
	}
	return a, problem
}

// siteRouter reads an IPv6 address that may be link-local.
func siteRouter(s string) (netip.Addr, string) {
	switch {
	case strings.Contains(s, "/"):
		return netip.Addr{}, "is a network; write the address alone, and its length as prefix"
	case strings.ContainsAny(s, "[]"):
		return netip.Addr{}, "has brackets; write the address without them"
	case strings.Contains(s, "%"):
		return netip.Addr{}, "has a zone; write the address alone"
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, "is not an IPv6 address"
	case a.Is4():
		return a, "is an IPv4 address; the site is IPv6 only"
	case a.Is4In6():
		return a, "is an IPv4-mapped address; the site is IPv6 only"
	case a.IsUnspecified():
		return a, "is the unspecified address"
	case a.IsLoopback():
		return a, "is the loopback; other machines cannot reach it"
	case a.IsMulticast():
		return a, "is a multicast address"
	}
	return a, ""
}

// siteNetwork reads a network of sources; a single address is one of its own.
func siteNetwork(s string) (netip.Prefix, string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return p, "is no IPv6 network; write it as 2001:db8::/64"
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case p.Addr().Unmap().Is4():
		return p, "is IPv4; the site is IPv6 only"
	case p != p.Masked():
		return p, "has bits beyond its length; did you mean " + p.Masked().String() + "?"
	}
	return p, ""
}

// siteURL reads an absolute URL of a public server.
func siteURL(s string) (*url.URL, string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || !siteURLText.MatchString(s) && !strings.ContainsAny(s, "@#"):
		return nil, "is not a URL"
	case u.User != nil:
		return nil, "carries credentials; a secret does not belong in the site file"
	case u.Scheme != "https":
		return nil, "must begin with https://"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, "has a fragment (#); leave it out"
	case u.Hostname() == "" || strings.HasSuffix(u.Host, ":"):
		return nil, "is not a URL"
	case strings.Contains(u.Host, "*"):
		return nil, "has a wildcard in the host: Keycloak takes it and never matches it; list each callback"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		if problem := domainProblem(u.Hostname()); problem != "" {
			return nil, "names a host that " + problem
		}
	}
	if p := u.Port(); p != "" && !sitePortOK(p) {
		return nil, "has no port between 1 and 65535"
	}
	return u, ""
}

func sitePortOK(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 65536
}

// redirectProblem judges a callback: Keycloak knows a wildcard at the very end
// of the path and nowhere else.
func redirectProblem(s string) string {
	if !strings.Contains(s, "://") {
		return "is not an absolute URL; list each callback as https://…"
	}
	u, problem := siteURL(s)
	switch i := strings.Index(s, "*"); {
	case problem != "":
		return problem
	case i >= 0 && (i != len(s)-1 || !strings.HasSuffix(u.Path, "/*")):
		return "has a wildcard that is not the end of a path, as in https://app.example.org/*"
	}
	return ""
}

// plainURLProblem judges a URL that is one place.
func plainURLProblem(s string) string {
	_, problem := siteURL(s)
	if problem == "" && strings.Contains(s, "*") {
		return "has a wildcard"
	}
	return problem
}

// upstreamProblem judges an application's URL. It listens on the loopback: one
// that others reach can be had without the login.
func upstreamProblem(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "is not a URL that begins with http:// or https://"
	}
	a, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.User != nil:
		return "carries credentials; a secret does not belong in the site file"
	case u.Hostname() == "localhost":
		return "says localhost, which is either family; write [::1] or 127.0.0.1"
	case err != nil || !a.IsLoopback() || a.Is4In6() || a.Zone() != "":
		return "is not on the loopback; what others can reach needs no login: write http://[::1]:PORT"
	case u.Path != "" && u.Path != "/", u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "has a path; write scheme, address and port only"
	case u.Port() == "":
		return "has no port"
	case !sitePortOK(u.Port()):
		return "has no port between 1 and 65535"
	}
	return ""
}

// dirProblem judges a directory that watchdog makes or changes.
func dirProblem(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "is not an absolute path"
	case !siteDirText.MatchString(s):
		return "may hold letters, digits and . _ - / only"
	case path.Clean(s) != s:
		return "is not a plain path; did you mean " + siteQuote(path.Clean(s)) + "?"
	case strings.Count(s, "/") < 2:
		return "is a top directory of the system; choose one below it"
	}
	return ""
}

func emailProblem(s string) string {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || strings.ContainsAny(s, `"'\ `) || !strings.Contains(s, ".") {
		return "is not an email address"
	}
	return ""
}

// listenProblem judges the exporters' listener. It is the same on every host,
// so that the address of one of them would fail on the others.
func listenProblem(s string, hosts int) string {
	ap, err := netip.ParseAddrPort(s)
	switch a := ap.Addr(); {
	case err != nil:
		return "is not an IPv6 address and port, as [::1]:9465"
	case a.Unmap().Is4():
		return "is IPv4; the site is IPv6 only: write [::1]:9465 or [::]:9465"
	case a.Zone() != "" || a.IsMulticast() || a.IsLinkLocalUnicast():
		return "is no address to listen on; write [::1]:9465 or [::]:9465"
	case ap.Port() == 0:
		return "has no port between 1 and 65535"
	case hosts > 1 && !a.IsLoopback() && !a.IsUnspecified():
		return "is one host's address, and this file is the same on all; write [::1] or [::]"
	}
	return ""
}
